"""The paper that CHAD comes from, as everything that cites it names it."""

from __future__ import annotations

TITLE = "A Semi-Supervised Deep Learning Approach to Dataset Collection for Query-by-Humming Task"
# Family name and given name, in the paper's order.
AUTHORS = (
    ("Amatov", "Amantur"),
    ("Lamanov", "Dmitry"),
    ("Titov", "Maksim"),
    ("Vovk", "Ivan"),
    ("Makarov", "Ilya"),
    ("Kudinov", "Mikhail"),
)
CONFERENCE = "International Society for Music Information Retrieval Conference (ISMIR)"
YEAR = 2023
ARXIV = "2312.01092"
ADDRESS = f"https://arxiv.org/abs/{ARXIV}"
# Where its authors published their own data and the script that fetches it.
REPOSITORY = "https://github.com/amanteur/CHAD"

REFERENCE = f"{', '.join(family for family, _ in AUTHORS)}: {TITLE}. ISMIR {YEAR}, arXiv {ARXIV}."

BIBTEX = f"""\
@inproceedings{{amatov{YEAR}chad,
  title = {{{TITLE}}},
  author = {{{" and ".join(f"{family}, {given}" for family, given in AUTHORS)}}},
  booktitle = {{{CONFERENCE}}},
  year = {{{YEAR}}},
  eprint = {{{ARXIV}}},
  archivePrefix = {{arXiv}},
}}"""
