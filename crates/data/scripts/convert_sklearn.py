#!/usr/bin/env python3
"""Writes the bundled real data sets to static/data from the copies that scikit-learn ships.

    pip install scikit-learn && python crates/data/scripts/convert_sklearn.py

Tables become CSV with the class in the last column, in words; the values are those of scikit-learn, in the shortest
decimal form. Digits become records of 65 bytes: the label, then 8 × 8 pixels of ink from 0 to 16, row by row.
"""

import csv
from pathlib import Path

from sklearn import datasets

OUT = Path(__file__).resolve().parents[3] / "static" / "data"


def column(name: str) -> str:
    """scikit-learn's feature name as a person reads it; the unit is in the README."""
    return name.removesuffix(" (cm)").replace("_", " ")


def write_table(name: str, target: str, data, classes) -> None:
    with open(OUT / f"{name}.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*map(column, data.feature_names), target])
        for row, label in zip(data.data, data.target):
            writer.writerow([*(f"{value:.10g}" for value in row), classes[label]])


def write_digits(data) -> None:
    with open(OUT / "digits.bin", "wb") as file:
        for image, label in zip(data.data, data.target):
            file.write(bytes([label, *(int(ink) for ink in image)]))


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    write_table("iris", "species", datasets.load_iris(), ["setosa", "versicolor", "virginica"])
    write_table("wine", "grower", datasets.load_wine(), ["grower 1", "grower 2", "grower 3"])
    write_table("breast_cancer", "diagnosis", datasets.load_breast_cancer(), ["malignant", "benign"])
    write_digits(datasets.load_digits())


if __name__ == "__main__":
    main()
