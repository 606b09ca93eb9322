"""Training: it learns, it can be interrupted, its files hold what they should."""

import copy
import json
import os
import signal
from pathlib import Path

import pytest
from safetensors.torch import load_file

from benchmark.analysis.analysis_network import AnalysisNetwork
from benchmark.analysis.mask_rcnn.adapter import MaskRcnnAnalysis
from benchmark.analysis.mask_rcnn.training import AnalysisRecipe, train_analysis
from benchmark.analysis.mask_rcnn.weights_file import load_weights
from benchmark.datasets.dataset import Dataset, read_image
from benchmark.errors import UsageError
from benchmark.training.loop import CHECKPOINT, LOG, WEIGHTS
from benchmark.training.schedule import learning_rate

SHORT = AnalysisRecipe(iterations=6, batch=2, width=8, warm_up=2)


def read_log(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / LOG).read_text().splitlines()]


def test_training_lowers_the_loss(scenes: Dataset, tmp_path: Path) -> None:
    recipe = AnalysisRecipe(iterations=80, batch=2, width=8, warm_up=5, learning_rate=4e-3)
    path = train_analysis(scenes, tmp_path, recipe)
    losses = [line["loss"] for line in read_log(tmp_path)]
    assert len(losses) == 4
    assert losses[-1] < 0.85 * losses[0]
    _, description = load_weights(path)
    assert description.width == 8
    assert description.training["recipe"]["iterations"] == 80
    assert description.training["images"] == 2


def test_interrupted_training_ends_with_the_same_weights(scenes: Dataset, tmp_path: Path) -> None:
    whole = train_analysis(scenes, tmp_path / "whole", SHORT)

    def stop(network: AnalysisNetwork) -> float:
        os.kill(os.getpid(), signal.SIGTERM)
        return 1.0

    parts = tmp_path / "parts"
    with pytest.raises(KeyboardInterrupt):
        train_analysis(scenes, parts, SHORT, evaluate=stop, evaluate_every=3)
    assert not (parts / WEIGHTS).exists()
    assert (parts / CHECKPOINT).exists()
    resumed = train_analysis(scenes, parts, SHORT)

    expected, found = load_file(whole), load_file(resumed)
    assert expected.keys() == found.keys()
    for name, tensor in expected.items():
        assert tensor.equal(found[name]), name


def test_finished_training_is_not_done_again(scenes: Dataset, tmp_path: Path) -> None:
    first = train_analysis(scenes, tmp_path, SHORT).read_bytes()
    assert train_analysis(scenes, tmp_path, SHORT).read_bytes() == first


def test_another_recipe_does_not_continue_a_training(scenes: Dataset, tmp_path: Path) -> None:
    train_analysis(scenes, tmp_path, AnalysisRecipe(iterations=1, batch=1, width=8))
    with pytest.raises(UsageError, match=r"checkpoint.pt belongs to a training with another"):
        train_analysis(scenes, tmp_path, AnalysisRecipe(iterations=2, batch=1, width=8))


def test_half_written_checkpoint_is_refused(scenes: Dataset, tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT).write_bytes(b"PK")
    with pytest.raises(UsageError, match=r"is not a readable checkpoint"):
        train_analysis(scenes, tmp_path, SHORT)


def test_validation_is_logged_and_described(scenes: Dataset, tmp_path: Path) -> None:
    judged = []

    def evaluate(network: AnalysisNetwork) -> float:
        judged.append(network.detect([read_image(scenes.pictures[0].path)]))
        return 10.0 * len(judged)

    recipe = AnalysisRecipe(iterations=3, batch=1, width=8)
    path = train_analysis(scenes, tmp_path, recipe, evaluate=evaluate, evaluate_every=2)
    assert read_log(tmp_path) == [{"iteration": 2, "wap": 10.0}, {"iteration": 3, "wap": 20.0}]
    assert load_weights(path)[1].training["wap"] == 20.0
    assert isinstance(MaskRcnnAnalysis.load(path), AnalysisNetwork)


def test_learning_rate_rises_and_falls_to_zero() -> None:
    rates = [learning_rate(1.0, step, 1000, 100) for step in range(1000)]
    assert rates[0] == pytest.approx(0.01)
    assert 0.95 < max(rates) <= 1
    assert rates.index(max(rates)) == 99
    assert rates[-1] < 1e-5
    assert sorted(rates[99:], reverse=True) == rates[99:]


def test_training_starts_from_weights(scenes: Dataset, tmp_path: Path) -> None:
    first = train_analysis(scenes, tmp_path / "first", SHORT)
    further = AnalysisRecipe(iterations=1, batch=2, learning_rate=1e-9, warm_up=1)
    second = train_analysis(scenes, tmp_path / "second", further, start=first)
    before, after = load_weights(first), load_weights(second)
    assert after[1].width == 8  # the file's, not the recipe's
    assert after[1].training["start"]["recipe"]["iterations"] == 6
    trained = dict(after[0].named_parameters())
    for name, tensor in before[0].named_parameters():
        assert tensor.allclose(trained[name], atol=1e-4), name
    with pytest.raises(UsageError, match="another start"):
        train_analysis(scenes, tmp_path / "second", further)


def test_weights_of_other_classes_are_refused(scenes: Dataset, tmp_path: Path) -> None:
    first = train_analysis(scenes, tmp_path / "first", SHORT)
    fewer = copy.copy(scenes)
    fewer.categories = scenes.categories[:2]
    with pytest.raises(UsageError, match=r"finds person, .* but the data set has person, rider:"):
        train_analysis(fewer, tmp_path / "second", SHORT, start=first)
