"""The report in a real browser: headless Chromium, driven by Playwright."""

import base64
import io
import re
import shutil

import numpy as np
import pandas as pd
import PIL.Image
import pytest
from makers import make_manifest, make_record

from benchmark.evaluation.deltas import delta_rates
from benchmark.evaluation.rate_points import incomplete_points
from benchmark.evaluation.scales import with_scales
from benchmark.evaluation.tables import Tables
from benchmark.report.curve_plots import draw_curves, render
from benchmark.report.gallery import Gallery, GalleryPicture, Outline
from benchmark.report.html import html_report

RATES = {"vtm": 1.0, "jpeg": 2.0, "new<codec>": 0.5}
BPP = (0.1, 0.2, 0.4, 0.8)
IMAGES = ("street", "square")
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")


def summary():
    lines = [
        {
            "codec": codec,
            "rate_point": f"q{number}",
            "images": 2,
            "bpp": factor * bpp,
            "wap": 20 + 8 * number,
            "ap50": 30 + 8 * number,
            "psnr": 22 + 2 * number,
            "ms_ssim": 0.9 + number / 100,
        }
        for codec, factor in RATES.items()
        for number, bpp in enumerate(BPP)
    ]
    lines.append(
        {"codec": "uncompressed", "rate_point": "bits24", "images": 2, "bpp": 24.0, "wap": 50.0}
        | {"ap50": 80.0, "psnr": None, "ms_ssim": 1.0}
    )
    table = pd.DataFrame(lines).assign(
        encode_s=0.5, decode_s=0.25, analysis_s=0.1, ap="coco", ap_car=33.3, source="measured"
    )
    return table.assign(wap_low=table["wap"] - 2, wap_high=table["wap"] + 3)


def external():
    return pd.DataFrame(
        {"codec": "theirs", "rate_point": ["point1", "point2"], "bpp": [0.3, 0.15]}
        | {"wap": [40.0, 30.0], "source": "external"}
    )


def deltas(table):
    """jpeg's delta against vtm has an interval at equal wAP; at equal PSNR it says nothing."""
    found = delta_rates(table, list(RATES))
    jpeg = (found["codec"] == "jpeg") & (found["anchor"] == "vtm")
    wap, psnr = (jpeg & (found["quality"] == quality) for quality in ("wap", "psnr"))
    akima, pchip = (found["method"] == method for method in ("akima", "pchip"))
    found.loc[wap & akima, ["low", "high"]] = [90.0, 111.0]
    found.loc[psnr & akima, ["bd_rate", "uncertainty"]] = [60.0, 80.0]
    found.loc[psnr & pchip, ["bd_rate", "uncertainty"]] = [60.0, 180.0]
    return found


WAPS = {("square", "uncompressed"): 50.0, ("square", "vtm"): 12.5}
"""Of single images; those that are not here have 40 %, so that vtm loses most in "square"."""


def picture(image, codec, grey):
    file = io.BytesIO()
    PIL.Image.fromarray(np.full((32, 64, 3), grey, np.uint8)).save(file, "WEBP")
    source = "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()
    outline = Outline("car", 0.9, "M10 10L20 10L20 20L10 20Z")
    return GalleryPicture(
        image, codec, "q0", width=64, height=32, bpp=0.1, psnr=22.0,
        wap=WAPS.get((image, codec), 40.0), source=source, outlines=[outline],
    )  # fmt: skip


def manifest():
    return make_manifest(
        images=IMAGES, codecs=[("vtm", {"version": "10.0", "code": ""}, ["q0", "q1"])]
    )


def records():
    return [
        make_record("vtm", rate, image)
        for rate, images in (("q0", IMAGES), ("q1", IMAGES[:1]))
        for image in images
    ]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    table = summary()
    gallery = Gallery(
        [picture(image, codec, 90) for image in IMAGES for codec in ("uncompressed", *RATES)],
        "2 of 2 images",
        ["vvenc cannot run here"],
    )
    drawn = pd.concat([table, external()], ignore_index=True)
    page = html_report(
        manifest(),
        Tables(
            table, deltas(table), {}, incomplete=incomplete_points(manifest(), records(), IMAGES)
        ),
        "vtm",
        render(draw_curves(drawn), "svg"),
        gallery,
        [external()],
    )
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_bytes(page)
    return path


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="the browser tests need `pip install playwright`"
    )
    program = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if not program:
        pytest.skip(f"none of {', '.join(CHROMIUMS)} is on the PATH: apt-get install chromium")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, report):
    """The report, opened from disk; afterwards: nothing was complained of or fetched."""
    context = browser.new_context(viewport={"width": 1200, "height": 900}, color_scheme="light")
    page = context.new_page()
    problems = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: problems.append(request.url))
    page.goto(report.as_uri())
    yield page
    context.close()
    fetched = [its for its in problems if not its.startswith("data:")]
    assert fetched == [report.as_uri()]


def column(page, table, number):
    return page.locator(f"#{table} tbody tr td:nth-child({number})").all_text_contents()


def test_hovering_over_a_point_shows_its_numbers(page):
    tip = page.locator("#tip")
    assert tip.is_hidden()
    page.locator("#chart path.point").first.hover()
    text = tip.text_content()
    assert "jpeg q0" in text and "0.2000 bpp" in text and "wAP 20.00 %" in text
    assert "95 % of wAP: 18.00 to 23.00 %" in text
    page.locator("h1").hover()
    assert tip.is_hidden()


def test_points_are_reached_by_keyboard(page):
    page.locator("#chart path.point[tabindex='0']").focus()
    assert "jpeg q0" in page.locator("#tip").text_content()
    page.keyboard.press("ArrowRight")
    assert "jpeg q1" in page.locator("#tip").text_content()
    page.keyboard.press("ArrowDown")
    assert "new<codec> q" in page.locator("#tip").text_content()
    assert page.locator("#chart path.point[tabindex='0']").count() == 1


def test_a_codec_is_switched_off_and_on(page):
    points = page.locator("#chart path.point")
    assert points.count() == 14
    assert page.locator("#chart path.interval").count() == 12
    assert page.locator("#differences path.difference").count() == 4
    box = page.get_by_role("checkbox", name="jpeg", exact=True)
    box.uncheck()
    assert points.count() == 10
    assert page.locator("#chart path.interval").count() == 8
    assert page.locator("#differences path.difference").count() == 2
    box.check()
    assert points.count() == 14


def test_a_curve_from_elsewhere_is_marked_and_dashed(page):
    page.get_by_role("checkbox", name="theirs (external)", exact=True)
    dashed = page.locator("#chart path[stroke-dasharray='7 4']")
    assert dashed.count() == 1
    page.locator("#chart path.point[aria-label^='theirs (external) point']").first.hover()
    assert "0.1500 bpp" in page.locator("#tip").text_content()
    assert "theirs" not in page.locator("#deltas").text_content()
    assert "theirs" not in page.locator("#classes").text_content()


def test_another_quality_is_drawn(page):
    page.locator("#quality").select_option("psnr")
    assert "PSNR / dB" in page.locator("#chart svg").text_content()


def test_tables_are_sorted_by_clicks(page):
    header = page.locator("#deltas th").nth(1)
    header.get_by_role("button").click()
    assert header.get_attribute("aria-sort") == "ascending"
    assert column(page, "deltas", 1) == ["new<codec>", "jpeg"]
    header.get_by_role("button").press("Enter")
    assert header.get_attribute("aria-sort") == "descending"
    assert column(page, "deltas", 1) == ["jpeg", "new<codec>"]
    page.locator("#points th").nth(5).get_by_role("button").click()
    values = column(page, "points", 6)
    assert values[-4:] == ["-"] * 4  # three without a value, and the incomplete one
    assert values[:-4] == sorted(values[:-4], key=float)


def test_another_anchor_changes_the_deltas(page):
    assert dict(zip(column(page, "deltas", 1), column(page, "deltas", 2), strict=True)) == {
        "jpeg": "+100.0 ± 0.095 %: +90.0 to +111.0",
        "new<codec>": "-50.0 ± 0.0",
    }
    assert column(page, "deltas", 3) == ["+100.0", "-50.0"]
    page.locator("#anchor").select_option("jpeg")
    assert page.locator("#anchor-name").text_content() == "jpeg"
    assert dict(zip(column(page, "deltas", 1), column(page, "deltas", 2), strict=True)) == {
        "vtm": "-50.0 ± 0.0",
        "new<codec>": "-75.0 ± 0.0",
    }
    drawn = page.locator("#differences svg")
    assert "rate relative to jpeg / %" in drawn.first.text_content()


def test_a_delta_within_its_uncertainty_says_so_and_is_muted(page):
    cell = page.locator("#deltas tbody tr").first.locator("td").nth(5)
    assert cell.text_content() == "+60.0 ± 80.0within the uncertainty"
    beside = page.locator("#deltas tbody tr").first.locator("td").nth(6)
    assert beside.text_content() == "undetermined"
    colour = "its => getComputedStyle(its).color"
    assert cell.evaluate(colour) != page.locator("#deltas td.name").first.evaluate(colour)
    page.locator("#anchor").select_option("jpeg")
    page.locator("#anchor").select_option("vtm")
    assert "within the uncertainty" in page.locator("#deltas td.within").text_content()


def test_the_difference_to_the_anchor_is_drawn_where_it_is(page):
    """Twice the rate is one doubling above the anchor's line, half of it one below."""
    panel = page.locator("#differences svg").first
    heights = panel.evaluate(
        "svg => Object.fromEntries([...svg.querySelectorAll('.difference')].map("
        "path => [path.textContent, path.getBBox().y]))"
    )
    anchor = panel.evaluate("svg => svg.querySelector('.axis').getBBox().y")
    assert heights["jpeg"] < anchor < heights["new<codec>"]
    assert anchor - heights["jpeg"] == pytest.approx(heights["new<codec>"] - anchor, abs=0.5)


def test_the_border_between_two_pictures_is_slid(page):
    left = page.locator("#left-layer")
    page.locator("#slider").focus()
    page.keyboard.press("Home")
    assert "100%" in left.evaluate("layer => layer.style.clipPath")
    page.locator("#stage").scroll_into_view_if_needed()
    box = page.locator("#stage").bounding_box()
    page.mouse.move(box["x"] + 10, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 10)
    page.mouse.up()
    assert page.locator("#slider").input_value() == "75"
    assert "25%" in left.evaluate("layer => layer.style.clipPath")


def test_pictures_are_chosen_with_their_rates_and_detections(page):
    page.locator("#image").select_option("square")
    page.locator("#right").select_option("new<codec> q0")
    assert page.locator("#right-caption").text_content() == (
        "new<codec> q0: 0.1000 bpp, 22.00 dB, wAP of this image 40.0 %, 1 detections"
    )
    image = page.locator("#right-layer img")
    assert image.get_attribute("alt") == "square, new<codec> q0"
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 64
    assert page.locator("#right-layer path").count() == 1
    page.locator("#detections").uncheck()
    assert page.locator("#right-layer path").count() == 0


def test_pictures_are_sorted_by_what_a_codec_loses_there(page):
    images = page.locator("#image option")
    assert images.all_text_contents() == list(IMAGES)
    page.locator("#order").select_option("loss of vtm q0")
    first, *_ = images.all_text_contents()
    assert first == "square: -37.5 wAP"
    assert page.locator("#image").input_value() == "square"
    assert page.locator("#right").input_value() == "vtm q0"
    page.locator("#order").select_option("name")
    assert images.all_text_contents() == list(IMAGES)


def background(page):
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


def test_a_hull_is_joined_and_all_other_points_are_small(browser, tmp_path):
    """At q0 and q1 half the size is better, and at q2 and q3 it is not."""
    table = summary()
    jpeg = table[table["codec"] == "jpeg"]
    half = jpeg.assign(
        rate_point=jpeg["rate_point"] + "@0.5",
        bpp=jpeg["bpp"] / 2,
        wap=jpeg["wap"] - [0, 0, 18, 26],
        psnr=jpeg["psnr"] - 9,
    )
    table = with_scales(pd.concat([table, half], ignore_index=True))
    report = tmp_path / "report.html"
    shown = Tables(table, deltas(table), {})
    report.write_bytes(html_report(manifest(), shown, "vtm", render(draw_curves(table), "svg")))
    page = browser.new_page()
    page.goto(report.as_uri())
    page.get_by_role("checkbox", name="jpeg (convex hull)", exact=True)
    marks = page.locator("#chart path.point[aria-label^='jpeg ']")
    small = marks.evaluate_all(
        "marks => marks.filter((its) => its.getAttribute('transform').endsWith('scale(0.5)'))"
        ".map((its) => its.getAttribute('aria-label').match(/q\\d\\S*,/)[0])"
    )
    hull = table[(table["codec"] == "jpeg") & table["hull"].str.contains("wap")]
    assert marks.count() == 8 and len(hull) == 8 - len(small)
    assert {its.strip(",") for its in small} == {"q0", "q1", "q2@0.5", "q3@0.5"}
    path = page.locator("#chart path[fill=none][stroke='#0072b2']").first.get_attribute("d")
    assert len(path.split("L")) == len(hull)
    assert page.locator("#points th").nth(3).text_content() == "on the convex hull of"
    page.close()


def test_dark_follows_the_system_and_the_switch(page):
    light = background(page)
    page.emulate_media(color_scheme="dark")
    dark = background(page)
    assert dark != light
    page.get_by_role("button", name="Light", exact=True).click()
    assert background(page) == light
    page.get_by_role("button", name="Dark", exact=True).click()
    assert background(page) == dark


def test_a_phone_needs_no_sideways_scrolling(page):
    page.set_viewport_size({"width": 360, "height": 700})
    page.wait_for_function("document.querySelector('#chart svg').clientWidth <= 360")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_without_scripts_curves_and_tables_remain(browser, report):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.as_uri())
    assert page.locator("#static-curves svg").is_visible()
    assert page.locator("#deltas tbody tr").count() == 2
    context.close()


def test_missing_results_and_pictures_are_named(report):
    text = report.read_text()
    assert "vtm q1: 1 of 2 images have no result" in text
    (row,) = re.findall(r'<tr class="incomplete">.*?</tr>', text, re.DOTALL)
    cells = re.findall(r"<td[^>]*>(.*?)</td>", row)
    assert [*cells[:2], cells[-1]] == ["vtm", "q1", "1 of 2 images"]
    assert set(cells[2:-1]) == {"-"}
    assert "Not shown: vvenc cannot run here" in text
