import pytest

from geoprobe.errors import NotFoundError
from geoprobe.sources.models.architectures import choose_tensor, embedding_by_name, output_by_name, vocabulary_size

TABLE = (100, 8)


@pytest.mark.parametrize(
    "name",
    [
        "model.embed_tokens.weight",
        "transformer.wte.weight",
        "gpt_neox.embed_in.weight",
        "model.decoder.embed_tokens.weight",
        "transformer.word_embeddings.weight",
        "embeddings.word_embeddings.weight",
        "shared.weight",
        "model.language_model.embed_tokens.weight",
        "token_embd.weight",
    ],
)
def test_each_architectures_own_name_is_known(name: str) -> None:
    shapes = {"lm_head.weight": TABLE, name: TABLE, "layer.weight": (8, 8), "norm.weight": (8,)}
    assert choose_tensor(shapes, wanted=None, vocabulary=100, where="m") == (name, ())


def test_an_unknown_name_is_chosen_by_shape_and_said_so() -> None:
    shapes = {"a.weight": (8, 8), "embed.table": TABLE, "b.out": TABLE}
    name, notes = choose_tensor(shapes, wanted=None, vocabulary=100, where="m")
    assert name == "embed.table"
    assert "chosen by its shape (100, 8)" in notes[0]


def test_the_users_choice_is_taken() -> None:
    shapes = {"model.embed_tokens.weight": TABLE, "lm_head.weight": TABLE}
    name, notes = choose_tensor(shapes, wanted="lm_head.weight", vocabulary=100, where="m")
    assert name == "lm_head.weight"
    assert "chosen by the user" in notes[0]


def test_an_absent_choice_lists_what_is_there() -> None:
    with pytest.raises(NotFoundError, match=r"m has no matrix named 'x'.\nIts matrices: a 100×8"):
        choose_tensor({"a": TABLE, "b": (3,)}, wanted="x", vocabulary=100, where="m")


def test_nothing_like_an_embedding_is_an_error() -> None:
    with pytest.raises(NotFoundError, match="looks like a token embedding"):
        choose_tensor({"a": (8, 8)}, wanted=None, vocabulary=100, where="m")


def test_the_vocabulary_of_a_multimodal_model_is_its_text_parts() -> None:
    assert vocabulary_size({"text_config": {"vocab_size": 7}}) == 7
    assert vocabulary_size({"vocab_size": 5}) == 5
    assert vocabulary_size({}) is None


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["model.layers.0.mlp.shared.weight", "model.embed_tokens.weight"], "model.embed_tokens.weight"),
        (
            [
                "depth_decoder.model.embed_tokens.weight",
                "backbone_model.embed_tokens.embed_audio_tokens.weight",
                "embed_text_tokens.weight",
            ],
            "embed_text_tokens.weight",  # csm
        ),
        (["model.dit.embed_tokens.weight", "model.vlm.model.language_model.embed_tokens.weight"], None),  # pi0
        (["model.vision_tower.embed_tokens.weight", "model.language_model.embed_tokens.weight"], None),
        (["model.decoder.embed_tokens.weight", "model.encoder.embed_tokens.weight", "model.shared.weight"], None),
        (
            ["model.decoder.embed_tokens.weight", "model.encoder.embed_tokens.weight"],
            "model.encoder.embed_tokens.weight",
        ),
        (["0.auto_model.embeddings.word_embeddings.weight"], "0.auto_model.embeddings.word_embeddings.weight"),
        (["model.embed_tokens_per_layer.weight", "x.weight"], ""),
    ],
)
def test_among_several_the_language_input_is_chosen(names: list[str], chosen: str | None) -> None:
    assert embedding_by_name(names) == (names[-1] if chosen is None else chosen or None)


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["rwkv.blocks.0.attention.output.weight", "head.weight"], "head.weight"),
        (["output.weight", "token_embd.weight"], "output.weight"),
        (["cls.predictions.decoder.weight", "decoder.layer.weight"], "cls.predictions.decoder.weight"),
        (["model.layers.0.attention.output.weight"], None),
        (
            ["model.transformer.blocks.0.ff_out.weight", "model.transformer.ff_out.weight"],
            "model.transformer.ff_out.weight",
        ),
        (["model.transformer.blocks.0.ff_out.weight"], None),
    ],
)
def test_the_output_matrix_is_found_by_name(names: list[str], chosen: str | None) -> None:
    assert output_by_name(names) == chosen
