from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from builders import missing, scan_inputs

from geoprobe.diagnostics.hierarchy.reading import read_taxonomy
from geoprobe.diagnostics.hierarchy.taxonomy import Taxonomy
from geoprobe.diagnostics.hierarchy.wordnet import find_wordnet, read_wordnet
from geoprobe.diagnostics.hierarchy.words import token_words
from geoprobe.errors import BadDataError, GeoprobeError, NotFoundError

LICENCE = "  1 This software and database is being provided to you under a licence\n  2 WordNet 3.0 Copyright 2006\n"
DEBIAN = Path("/usr/share/wordnet")
#: Concept, its words, what it is a kind of, and what it is an instance of.
SYNSETS = (
    (1740, ("entity",), (), ()),
    (1930, ("physical_entity",), (1740,), ()),
    (2000, ("animal", "beast"), (1930,), ()),
    (2100, ("dog", "domestic_dog"), (2000,), ()),
    (2200, ("place",), (1930,), ()),
    (2300, ("China", "Cathay"), (), (2200,)),
    (2400, ("china", "porcelain"), (1930,), ()),
    (2500, ("frump", "dog"), (1740,), ()),
)
SENSES = {
    "entity": (1740,),
    "animal": (2000,),
    "beast": (2000,),
    "dog": (2100, 2500),
    "china": (2300, 2400),
    "place": (2200,),
}


def write_wordnet(folder: Path) -> Path:
    """A few nouns in the form of wndb(5WN): pointers of other kinds and glosses among them."""
    data = [LICENCE]
    for offset, words, kinds, instances in SYNSETS:
        spelled = " ".join(f"{word} 0" for word in words)
        pointers = [f"@ {each:08d} n 0000" for each in kinds] + [f"@i {each:08d} n 0000" for each in instances]
        pointers.insert(0, "+ 00692347 v 0101")
        data.append(
            f"{offset:08d} 03 n {len(words):02x} {spelled} {len(pointers):03d} {' '.join(pointers)} | a gloss  \n"
        )
    index = [LICENCE]
    for word, offsets in sorted(SENSES.items()):
        places = " ".join(f"{offset:08d}" for offset in offsets)
        index.append(f"{word} n {len(offsets)} 2 @ ~ {len(offsets)} 0 {places}  \n")
    folder.mkdir(exist_ok=True)
    (folder / "data.noun").write_text("".join(data))
    (folder / "index.noun").write_text("".join(index))
    return folder


def write_table(path: Path, *lines: str) -> str:
    path.write_text("\n".join(("child,parent", *lines)))
    return str(path)


@pytest.fixture
def small(tmp_path: Path) -> Taxonomy:
    return read_wordnet(write_wordnet(tmp_path / "dict"))


def test_wordnets_files_are_read_as_their_format_says(small: Taxonomy) -> None:
    assert small.name == "WordNet 3.0 nouns"
    by_word = {words[0]: concept for concept, words in enumerate(small.words)}
    assert small.words[by_word["dog"]] == ("dog", "domestic dog")
    assert small.parents[by_word["dog"]] == (by_word["animal"],)
    assert small.senses_of("dog") == (by_word["dog"], by_word["frump"])
    assert small.depths[by_word["dog"]] == 3
    assert [small.words[each][0] for each in small.ancestors(by_word["dog"])] == ["animal", "physical entity", "entity"]


def test_a_word_whose_first_sense_is_one_thing_does_not_count(small: Taxonomy) -> None:
    porcelain = next(each for each, words in enumerate(small.words) if "porcelain" in words)
    assert small.senses_of("China") == ()
    assert small.senses_of("china") == (porcelain,)
    assert small.senses_of("china", cased=False) == ()


def test_debians_wordnet_has_the_published_numbers() -> None:
    if not (DEBIAN / "data.noun").exists():
        missing("wordnet", "Debian's wordnet-base is not installed")
    taxonomy = read_wordnet(DEBIAN)
    assert taxonomy.name == "WordNet 3.0 nouns"
    # wnstats(7WN): synsets and unique strings of nouns
    assert (len(taxonomy.words), len(taxonomy.senses)) == (82_115, 117_798)
    dog = taxonomy.senses_of("dog")[0]
    assert taxonomy.depths[dog] == 13  # nltk's dog.n.01 has max_depth() 13, by canine
    chain = [taxonomy.words[each][0] for each in taxonomy.ancestors(dog)]
    assert chain[:3] == ["canine", "carnivore", "placental"]
    assert chain[-1] == "entity"


def test_wordnet_is_found_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_wordnet(tmp_path / "dict")
    monkeypatch.setenv("WNHOME", str(tmp_path))
    monkeypatch.delenv("WNSEARCHDIR", raising=False)
    assert find_wordnet() == folder
    monkeypatch.setenv("WNSEARCHDIR", str(write_wordnet(tmp_path / "other")))
    assert find_wordnet() == tmp_path / "other"


def test_no_wordnet_says_where_it_was_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geoprobe.diagnostics.hierarchy.wordnet._USUAL", ("/nowhere",))
    monkeypatch.setenv("WNSEARCHDIR", "/not/here")
    monkeypatch.delenv("WNHOME", raising=False)
    with pytest.raises(NotFoundError, match=r"no data.noun in /not/here, /nowhere.\nInstall it \(Debian"):
        read_taxonomy("wordnet")


@pytest.mark.parametrize(
    "cut", ["00002100 03 n 0z", "00002100 03 v 01 dog 0 000 | x", "00002100 03 n 01 dog 0 002 @ 00", "rubbish"]
)
def test_a_line_that_is_not_wordnets_is_named(tmp_path: Path, cut: str) -> None:
    folder = write_wordnet(tmp_path / "dict")
    (folder / "data.noun").write_text(LICENCE + cut + "\n")
    with pytest.raises(BadDataError, match=r"data.noun, line 3, is not as WordNet's"):
        read_wordnet(folder)


def test_a_concept_under_nothing_is_refused(tmp_path: Path) -> None:
    folder = write_wordnet(tmp_path / "dict")
    lines = (folder / "data.noun").read_text().splitlines(keepends=True)
    (folder / "data.noun").write_text("".join(line for line in lines if not line.startswith("00001930")))
    with pytest.raises(BadDataError, match="one at 00001930"):
        read_wordnet(folder)


def test_a_table_of_child_and_parent(tmp_path: Path) -> None:
    path = write_table(tmp_path / "a.csv", "apple,fruit", "fruit,food", '"red wine",drink', "apple,tree", "drink,")
    taxonomy = read_taxonomy(path)
    place = {words[0]: concept for concept, words in enumerate(taxonomy.words)}
    assert set(place) == {"apple", "fruit", "food", "red wine", "drink", "tree"}
    assert taxonomy.parents[place["apple"]] == (place["fruit"], place["tree"])
    assert taxonomy.depths[[place[word] for word in ("apple", "fruit", "food", "drink")]].tolist() == [2, 1, 0, 0]
    tabs = tmp_path / "a.tsv"
    tabs.write_text(Path(path).read_text().replace(",", "\t"))
    assert read_taxonomy(str(tabs)).sha256 == taxonomy.sha256


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "child,parent\na,b\nb,c\nc,a\n", "goes in a circle: each of 'a', 'b', 'c'"),
        ("a.csv", "child,parent\na,a\n", "goes in a circle: each of 'a'"),
        ("a.csv", "kind,of\na,b\n", "no column child or parent"),
        ("a.csv", "child,parent\n,b\n", "a parent, 'b', without a child"),
        ("a.csv", "child,parent\na,\n", "no pair of child and parent"),
        ("a.csv", "child,parent\na,b,c\n", "3 cells under a header of 2"),
        ("a.csv", "child,parent\na,\udcff\n", "not UTF-8"),
        ("a.xlsx", "child,parent\na,b\n", "not named as a taxonomy is: .xlsx"),
        ("b.csv", None, "no taxonomy"),
        ("folder", None, "no .*data.noun"),
    ],
)
def test_a_file_that_is_no_taxonomy_is_refused(tmp_path: Path, name: str, content: str | None, message: str) -> None:
    (tmp_path / "folder").mkdir()
    if content is not None:
        (tmp_path / name).write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(GeoprobeError, match=message):
        read_taxonomy(str(tmp_path / name))


def random_forest(n: int, roots: int, rng: np.random.Generator) -> Taxonomy:
    parents = tuple(() if node < roots else (int(rng.integers(node)),) for node in range(n))
    return Taxonomy("made up", tuple((f"w{node}",) for node in range(n)), parents, {}, "")


@pytest.mark.parametrize("roots", [1, 4])
def test_steps_are_networkxs_shortest_paths(roots: int) -> None:
    taxonomy = random_forest(60, roots, np.random.default_rng(roots))
    graph = nx.Graph([(node, above[0] if above else "top") for node, above in enumerate(taxonomy.parents)])
    steps = dict(nx.all_pairs_shortest_path_length(graph))
    expected = [[steps[one][other] for other in range(60)] for one in range(60)]
    np.testing.assert_array_equal(taxonomy.distances(range(60)), expected)
    depths = [steps[node]["top"] - 1 for node in range(60)]
    np.testing.assert_array_equal(taxonomy.depths, depths)


def test_a_word_counts_as_one_token_under_the_nearest_that_does(small: Taxonomy) -> None:
    inputs = scan_inputs(["beast dog entity porcelain china cat"], dimension=3)
    words = token_words(inputs.embedding, small)
    assert set(words.names) == {"entity", "beast", "dog"}  # no upper case: china is the country
    of = {
        name: words.names[parent] if parent >= 0 else None
        for name, parent in zip(words.names, words.parents, strict=True)
    }
    assert of == {"entity": None, "beast": "entity", "dog": "beast"}
    assert [inputs.embedding.tokens[row] for row in words.rows] == list(words.names)
    pairs = {(words.names[child], words.names[parent]) for child, parent in words.pairs}
    assert pairs == {("beast", "entity"), ("dog", "beast"), ("dog", "entity")}  # a frump is an entity


def test_words_start_with_the_vocabularys_mark_and_keep_their_case(small: Taxonomy) -> None:
    tokens = [
        " dog",
        "dog",
        " Dog",
        " animal",
        "beast",
        " china",
        " entity",
        " The",
        *(f" Word{at}" for at in range(9)),
    ]
    inputs = scan_inputs(["x"], words=[f"t{at}" for at in range(len(tokens))], dimension=3)
    table = inputs.embedding
    object.__setattr__(table, "tokens", ("<unk>", *tokens))
    words = token_words(table, small)
    assert {name: table.tokens[row] for name, row in zip(words.names, words.rows, strict=True)} == {
        "dog": " dog",
        "animal": " animal",
        "china": " china",
        "entity": " entity",
    }
