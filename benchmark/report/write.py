"""Write all files of a run's report into the run folder."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from benchmark.evaluation.curves import MEASURED, ap_name, curves, without_points_off_hulls
from benchmark.evaluation.needed_rates import point_deltas
from benchmark.evaluation.opened_run import OpenedRun
from benchmark.evaluation.scales import scales_note
from benchmark.evaluation.tables import SUMMARY, Tables
from benchmark.report.codec_compare import codec_compare_files
from benchmark.report.compressai_json import compressai_results
from benchmark.report.curve_plots import draw_curves, render
from benchmark.report.gallery import make_gallery
from benchmark.report.html import html_report
from benchmark.report.latex import delta_rate_table
from benchmark.system.files import in_utf8


def write_preliminary_report(run: OpenedRun, tables: Tables, anchor: str) -> None:
    """Write the page of a run that goes on, without pictures: other files come at its end.

    Args:
        run: the run.
        tables: of the images that have all results.
        anchor: the codec that the others are compared to.
    """
    picture = render(draw_curves(tables.summary), "svg")
    page = html_report(run.manifest, tables, anchor, picture)
    run.folder.write_file("report.html", page)


def write_report(
    run: OpenedRun, tables: Tables, anchor: str, external: Sequence[pd.DataFrame] = ()
) -> None:
    """Write tables, curves, files for other programs, and the page that shows all.

    Args:
        run: the run.
        tables: of the run.
        anchor: the codec that the others are compared to.
        external: curves from elsewhere, which are drawn only.
    """
    folder, summary = run.folder, tables.summary
    deltas = tables.against(anchor)
    listed = summary
    if not tables.incomplete.empty:  # with their number of images, and without numbers of theirs
        lines = tables.incomplete.drop(columns="of").assign(source=MEASURED)
        listed = pd.concat([summary, lines], ignore_index=True)
    folder.write_file(SUMMARY, listed.to_csv(index=False).encode())
    folder.write_file("bd_rate.csv", deltas.to_csv(index=False).encode())
    folder.write_file("needed_rates.csv", tables.needed.to_csv(index=False).encode())
    folder.write_file("image_wap.csv", tables.images.to_csv(index=False).encode())
    of_points = point_deltas(summary, anchor)
    folder.write_file("point_deltas.csv", of_points.to_csv(index=False).encode())
    note = scales_note(summary)
    table = delta_rate_table(deltas, anchor, ap_name(summary), tables.commands, note=note)
    folder.write_file("bd_rate.tex", in_utf8(table))
    several = summary[summary["codec"].isin(list(curves(summary)))]
    for codec, text in compressai_results(several, tables.commands).items():
        folder.write_file(f"compressai/{codec}.json", text.encode())
    for name, text in codec_compare_files(run).items():
        folder.write_file(f"codec-compare/{name}", text.encode())
    figure = draw_curves(pd.concat([summary, *external], ignore_index=True))
    pictures = {kind: render(figure, kind) for kind in ("svg", "png")}
    for kind, content in pictures.items():
        folder.write_file(f"curves.{kind}", content)
    gallery = make_gallery(run, without_points_off_hulls(summary), tables.images)
    page = html_report(run.manifest, tables, anchor, pictures["svg"], gallery, external)
    folder.write_file("report.html", page)
