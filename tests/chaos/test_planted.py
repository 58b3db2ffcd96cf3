"""The bugs that are planted to try the checker can still be planted in the product as it is."""

import ast

import pytest

from tests.chaos.options import ROOT
from tests.chaos.planted import Outgrown, changed
from tests.chaos.plants import PLANTS, Plant


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_a_planted_bug_fits_the_product(plant: Plant) -> None:
    for name, text in changed(ROOT, plant).items():
        if name.endswith(".py"):
            ast.parse(text)


def test_a_bug_that_the_product_has_outgrown_is_an_error() -> None:
    with pytest.raises(Outgrown):
        changed(ROOT, Plant("gone", (("api/app.py", "no such text", ""),)))


def test_there_are_enough_of_them_and_each_has_a_name_of_its_own() -> None:
    assert len({plant.name for plant in PLANTS}) == len(PLANTS) >= 15
