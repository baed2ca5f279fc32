import pytest

from models.experiments import report
from models.experiments.errors import RunError
from models.gaaf.table2 import TABLE2
from models.gaaf.table4 import TABLE4
from models.registry import EXPERIMENTS as REGISTERED

README = """# GAAF

<!-- claims of gaaf -->
old
<!-- end of claims of gaaf -->

<!-- results of gaaf.table2 -->
old
<!-- end of results of gaaf.table2 -->

between

<!-- results of gaaf.table4 -->
old
<!-- end of results of gaaf.table4 -->

after
"""


EXPERIMENTS = (TABLE2, TABLE4)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "gaaf").mkdir()
    (tmp_path / "gaaf" / "README.md").write_text(README)
    return tmp_path


def test_tables_come_from_the_results_that_were_added(root, tiny_run):
    added = report.add(EXPERIMENTS, tiny_run.folder, root)
    assert added == root / "gaaf" / "results" / "gaaf.table4.tiny-digits.json"
    assert report.regenerate(EXPERIMENTS, root) == [root / "gaaf" / "README.md"]
    text = (root / "gaaf" / "README.md").read_text()
    assert "| base | 98.23 (0.075) |" in text
    assert "not run at this scale**" in text
    assert "| [table4](#gaaftable4) | the base network reaches" in text
    assert "--preset tiny --dataset digits --seeds 3`, " in text
    assert "(results/gaaf.table4.tiny-digits.png)" in text
    assert "No results yet: `python -m models run gaaf.table2" in text
    assert "\nbetween\n" in text
    assert text.endswith("\nafter\n")
    assert "old" not in text


def test_regenerating_twice_changes_nothing(root, tiny_run):
    report.add(EXPERIMENTS, tiny_run.folder, root)
    report.regenerate(EXPERIMENTS, root)
    once = (root / "gaaf" / "README.md").read_text()
    report.regenerate(EXPERIMENTS, root)
    assert (root / "gaaf" / "README.md").read_text() == once


def test_the_committed_readmes_are_up_to_date():
    for family in dict.fromkeys(one.family for one in REGISTERED):
        own = [one for one in REGISTERED if one.family == family]
        text = (report.ROOT / own[0].folder / "README.md").read_text("utf-8")
        assert report.overview(own) in text
        for experiment in own:
            assert report.section(experiment) in text


def test_a_readme_without_markers_is_named(root):
    (root / "gaaf" / "README.md").write_text("nothing")
    with pytest.raises(RunError, match=r"README\.md lacks the lines `<!-- claims of"):
        report.regenerate(EXPERIMENTS, root)


def test_an_unfinished_run_cannot_be_added(root):
    with pytest.raises(RunError, match=r"holds no summary\.json"):
        report.add(EXPERIMENTS, root, root)


def test_every_experiment_stands_in_the_readme():
    text = (report.ROOT / "README.md").read_text(encoding="utf-8")
    for experiment in REGISTERED:
        assert f"`{experiment.id}`" in text
