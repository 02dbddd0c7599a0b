"""Blocks and the model: what they compute, what they remember, what they tell the optimiser."""

import copy

import pytest
import torch

from ssm_teach.blocks import NORMS, FeatureDropout, SimpleBlock
from ssm_teach.errors import UserError
from ssm_teach.layers import S4D
from ssm_teach.model import POOLS, SequenceModel, parameter_groups

SIZES = {"d_output": 5, "d_model": 6, "n_layers": 2, "N": 4}
every_pool = pytest.mark.parametrize("pool", POOLS)
every_block = pytest.mark.parametrize(("norm", "prenorm"), [(norm, pre) for norm in NORMS for pre in (False, True)])


def build(**options):
    torch.manual_seed(0)
    return SequenceModel(**({"d_input": 3} | SIZES | options)).double().eval()


def signal(L=20, b=2, d=3):
    return torch.randn(b, L, d, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def close(first, second):
    assert first.shape == second.shape
    return (first - second).abs().max() < 1e-10


# The block.


@every_block
def test_block_is_its_equation(norm, prenorm):
    torch.manual_seed(0)
    block = SimpleBlock(S4D(6, 4), 6, norm=norm, prenorm=prenorm).double().eval()
    x = signal(d=6)
    z = block.layer(block.norm(x) if prenorm else x)
    z = 0.5 * z * (1 + torch.erf(z / 2**0.5))
    value, gate = torch.split(z @ block.mix.weight.T + block.mix.bias, 6, dim=-1)
    x_next = x + value / (1 + torch.exp(-gate))
    assert close(block(x), x_next if prenorm else block.norm(x_next))


@pytest.mark.parametrize(("norm", "axes"), [("layer", (2,)), ("batch", (0, 1))])
def test_norms_take_the_mean_over_the_axes_they_say(norm, axes):
    x = 3 + 2 * signal(d=6)
    y = NORMS[norm](6).double()(x)
    assert y.mean(axes).abs().max() < 1e-10
    assert (y.var(axes, correction=0) - 1).abs().max() < 1e-4


def test_dropout_drops_a_feature_for_the_whole_sequence():
    torch.manual_seed(0)
    y = FeatureDropout(0.25)(torch.ones(64, 9, 50))
    assert (y == y[:, :1]).all()
    assert set(y.unique().tolist()) == {0.0, torch.tensor(1 / 0.75).item()}
    assert (y[:, 0] == 0).float().mean().item() == pytest.approx(0.25, abs=0.02)


def test_dropout_is_off_in_evaluation():
    x = signal()
    assert FeatureDropout(0.5).eval()(x) is x


# The model.


@every_pool
@every_block
def test_model_has_one_answer_a_sequence_or_one_a_position(pool, norm, prenorm):
    for L in (1, 20):
        y = build(pool=pool, norm=norm, prenorm=prenorm)(signal(L))
        assert y.shape == ((2, L, 5) if pool == "none" else (2, 5))


@every_pool
def test_symbols_are_embedded(pool):
    model, u = build(d_input=None, vocab=7, pool=pool), torch.arange(14).reshape(2, 7) % 7
    assert close(model(u), model(u.int()))
    assert not close(model(u), model(u.flip(1)))


@every_pool
def test_mask_selects_the_positions_that_are_pooled(pool):
    model, u = build(pool=pool), signal()
    mask = torch.zeros(2, 20, dtype=torch.bool)
    mask[0, :13], mask[1, [2, 5]] = True, True
    outputs = copy.deepcopy(model)
    outputs.pool = "none"
    every = outputs(u)  # the decoder is affine, so a mean of answers is the answer to the mean
    expected = {
        "mean": torch.stack([every[0, :13].mean(0), every[1, [2, 5]].mean(0)]),
        "last": torch.stack([every[0, 12], every[1, 5]]),
        "none": every,
    }
    assert close(model(u, mask), expected[pool])
    assert close(model(u, mask.float()), expected[pool])


@pytest.mark.parametrize("pool", ["mean", "last"])
def test_padding_behind_the_data_changes_nothing(pool):
    model, u = build(pool=pool), signal()
    mask = torch.ones(2, 20, dtype=torch.bool)
    mask[1, 8:] = False
    assert close(model(u, mask)[1:], model(u[1:, :8]))


def test_a_fully_masked_sequence_is_finite():
    assert build()(signal(), torch.zeros(2, 20)).isfinite().all()


@every_pool
@every_block
@pytest.mark.parametrize("encoder", [{"d_input": 3}, {"d_input": None, "vocab": 7}])
def test_stepping_and_streaming_equal_the_whole(pool, norm, prenorm, encoder):
    model = build(pool=pool, norm=norm, prenorm=prenorm, dropout=0.5, **encoder)
    u = signal() if model.vocab is None else torch.arange(40).reshape(2, 20) % 7
    state, steps = model.initial_state(2), []
    for u_k in u.unbind(1):
        y_k, state = model.step(u_k, state)
        steps.append(y_k)
    for k in (1, 12, 20):  # after k positions, the answer to the first k
        expected = model(u[:, :k])
        assert close(torch.stack(steps[:k], 1) if pool == "none" else steps[k - 1], expected)
    state, chunks = None, []
    for chunk in u.split([12, 1, 7], 1):
        y, state = model(chunk, state=state, return_state=True)
        chunks.append(y)
    assert close(torch.cat(chunks, 1) if pool == "none" else chunks[-1], model(u))


def test_bidirectional_model_sees_everything_and_does_not_step():
    model, u = build(bidirectional=True, pool="none"), signal().requires_grad_()
    model(u)[:, 0].sum().backward()
    assert not model.causal
    assert u.grad[:, -1].abs().max() > 0
    with pytest.raises(UserError, match="S4D: a bidirectional layer needs the whole sequence"):
        model.step(u[:, 0], model.initial_state(2))
    with pytest.raises(UserError, match="S4D: a bidirectional layer needs the whole sequence"):
        model(u, return_state=True)


@every_block
def test_mixed_precision_trains_and_stays_close(norm, prenorm):
    model, u = build(norm=norm, prenorm=prenorm).float().train(), signal().float()
    exact = model(u)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = model(u)
    y.float().square().sum().backward()
    assert (y - exact).abs().max() < 0.05
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_layer_options_reach_the_layer():
    model = build(init="legs", method="bilinear")
    assert {(block.layer.init, block.layer.method) for block in model.blocks} == {("legs", "bilinear")}


def test_saved_weights_give_the_same_model():
    model, loaded, u = build(), build(), signal()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter))
    assert not close(loaded(u), model(u))
    loaded.load_state_dict(model.state_dict())
    assert torch.equal(loaded(u), model(u))


def test_simple_s4d_of_the_thesis_has_551k_parameters_and_36_percent_of_them_in_the_layers():
    model = SequenceModel(d_input=3, d_output=10, d_model=170, n_layers=6, N=32)  # papers call this state size 64
    total = sum(parameter.numel() for parameter in model.parameters())
    layers = sum(parameter.numel() for block in model.blocks for parameter in block.layer.parameters())
    assert round(total, -3) == 551_000
    assert round(layers / total, 2) == 0.36


# What the optimiser is told.


@pytest.mark.parametrize("options", [{}, {"init": "real"}, {"bidirectional": True}])
def test_parameter_groups_split_all_parameters_by_what_they_are(options):
    model = copy.deepcopy(build(**options))  # marks on parameters would not survive this
    rest, ssm = parameter_groups(model, lr=1e-2, weight_decay=0.05, ssm_lr=1e-3)
    assert (rest["lr"], rest["weight_decay"], ssm["lr"], ssm["weight_decay"]) == (1e-2, 0.05, 1e-3, 0.0)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    grouped = [names[id(parameter)] for parameter in rest["params"] + ssm["params"]]
    assert sorted(grouped) == sorted(names.values())
    kinds = {names[id(parameter)].split(".")[-1] for parameter in ssm["params"]}
    expected = {"log_dt", "log_neg_real", "imag", "B", "C", "C_reverse"}
    expected -= {"imag"} if options.get("init") == "real" else set()
    assert kinds == (expected if options.get("bidirectional") else expected - {"C_reverse"})
    assert "blocks.0.layer.D" in grouped[: len(rest["params"])]


def test_frozen_parameters_are_in_no_group():
    model = build()
    model.encoder.requires_grad_(False)
    groups = parameter_groups(model, lr=1e-2, weight_decay=0.0, ssm_lr=1e-3)
    ids = {id(parameter) for group in groups for parameter in group["params"]}
    assert not ids & {id(parameter) for parameter in model.encoder.parameters()}


def test_model_learns_to_tell_two_frequencies_apart_whatever_their_phase():
    torch.manual_seed(0)
    model = SequenceModel(d_input=1, d_output=2, d_model=16, n_layers=1, N=8)
    optimiser = torch.optim.AdamW(parameter_groups(model, lr=1e-2, weight_decay=0.01, ssm_lr=1e-3))

    def batch(b=128, L=64):
        target = torch.randint(2, (b,))
        angle = (0.3 + 0.2 * target)[:, None] * torch.arange(L) + 2 * torch.pi * torch.rand(b, 1)
        return torch.sin(angle)[..., None], target

    for _ in range(60):
        u, target = batch()
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(u), target).backward()
        optimiser.step()
    u, target = batch()
    assert (model(u).argmax(1) == target).float().mean() > 0.9


# Two documents.


@pytest.mark.parametrize("pool", ["mean", "last"])
@pytest.mark.parametrize("encoder", [{"d_input": 3}, {"d_input": None, "vocab": 7}])
def test_two_documents_are_read_by_the_same_weights_and_compared(pool, encoder):
    pair, one = build(pool=pool, documents=2, **encoder), build(pool=pool, **encoder)
    one.load_state_dict(
        {name: value for name, value in pair.state_dict().items() if "decoder" not in name}, strict=False
    )
    one.decoder = torch.nn.Identity()  # what the documents become
    u = torch.randint(0, 7, (4, 2, 20)) if "vocab" in encoder else torch.stack([signal(b=4), signal(b=4) + 1], 1)
    mask = torch.arange(20) < torch.tensor([[20, 3], [7, 20], [1, 1], [20, 20]])[..., None]
    a, b = (one(u[:, i], mask[:, i]) for i in (0, 1))
    hidden = torch.nn.functional.gelu(pair.decoder.hidden(torch.cat([a, b, a - b, a * b], -1)))
    assert close(pair(u, mask), pair.decoder.out(hidden))
    assert not close(pair(u, mask), pair(u.flip(1), mask.flip(1)))


def test_gradients_of_two_documents_reach_every_weight():
    model = build(documents=2)
    model(torch.stack([signal(), signal() + 1], 1)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in model.parameters())


def test_wrong_use_of_two_documents_is_one_clear_sentence():
    for options in ({"documents": 3}, {"documents": 2, "pool": "none"}):
        with pytest.raises(UserError, match="documents must be 1, or 2 with a pool; got"):
            build(**options)
    model, u = build(documents=2), torch.zeros(2, 2, 20, 3, dtype=torch.float64)
    with pytest.raises(UserError, match=r"u must be \(b, 2, L, d_input\) for two documents; got \(2, 20, 3\)"):
        model(signal())
    with pytest.raises(UserError, match=r"u must be \(b, 2, L\) for two documents; got \(2, 3, 20\)"):
        build(documents=2, d_input=None, vocab=7)(torch.zeros(2, 3, 20).long())
    with pytest.raises(UserError, match=r"mask must have shape \(b, 2, L\) = \(2, 2, 20\); got \(2, 20\)"):
        model(u, torch.ones(2, 20))
    for stream in (lambda: model.initial_state(2), lambda: model(u, return_state=True)):
        with pytest.raises(UserError, match="a model of two documents does not stream; give it both, whole"):
            stream()


# Mistakes.


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"d_input": None}, r"either d_input \(real inputs\) or vocab \(symbols\), not neither"),
        ({"vocab": 7}, "not both"),
        ({"d_output": 0}, "d_output must be a whole number, at least 1; got 0"),
        ({"n_layers": 0}, "n_layers must be a whole number, at least 1; got 0"),
        ({"d_model": 2.5}, r"d_model must be a whole number, at least 1; got 2.5"),
        ({"pool": "max"}, "unknown pool 'max'; choose one of mean, last, none"),
        ({"norm": "layr"}, r"SimpleBlock: unknown norm 'layr'; .*\(did you mean layer\?\)"),
        ({"dropout": 1.0}, "dropout must be a probability, 0 ≤ p < 1; got 1.0"),
        ({"layer": "s4dd"}, r"make: unknown layer 's4dd'; .*\(did you mean s4d\?\)"),
        ({"initt": "lin"}, r"unknown option of s4d 'initt'; .*\(did you mean init\?\)"),
    ],
)
def test_wrong_options_are_one_clear_sentence(options, words):
    with pytest.raises(UserError, match=words):
        build(**options)


@pytest.mark.parametrize(
    ("encoder", "u", "words"),
    [
        ({}, torch.zeros(2, 20, 4), r"u must be real, \(b, L, d_input\) with d_input = 3; got .* \(2, 20, 4\)"),
        ({}, [[0.0]], "u must be a torch tensor; got list"),
        ({}, torch.zeros(2, 20), r"got torch.float32 of shape \(2, 20\)"),
        ({}, torch.zeros(2, 20, 3, dtype=torch.long), "got torch.int64"),
        ({}, torch.zeros(2, 20, 3, dtype=torch.complex64), "u must be real"),
        (
            {"d_input": None, "vocab": 7},
            torch.zeros(2, 20),
            r"whole numbers below vocab = 7, \(b, L\); got torch.float32",
        ),
        ({"d_input": None, "vocab": 7}, torch.zeros(2, 20, 1).long(), r"got torch.int64 of shape \(2, 20, 1\)"),
        ({"d_input": None, "vocab": 7}, torch.full((2, 20), 7), r"symbols must be 0 to 6 \(vocab = 7\); got 7 to 7"),
    ],
)
def test_wrong_input_is_one_clear_sentence(encoder, u, words):
    with pytest.raises(UserError, match=words):
        build(**encoder).float()(u)


def test_input_of_another_precision_is_one_clear_sentence():
    with pytest.raises(
        UserError, match=r"u is torch.float32 but the model is torch.float64; use u.to\(torch.float64\)"
    ):
        build()(signal().float())


def test_wrong_mask_is_one_clear_sentence():
    model, u = build(), signal()
    with pytest.raises(UserError, match=r"mask must have shape \(b, L\) = \(2, 20\); got \(20,\)"):
        model(u, torch.ones(20))
    with pytest.raises(UserError, match="a stream has no padding; leave mask out"):
        model(u, torch.ones(2, 20), return_state=True)


def test_state_of_another_model_is_one_clear_sentence():
    model, other = build(), build(n_layers=3)
    for state in (other.initial_state(2), other.initial_state(2).blocks):
        with pytest.raises(UserError, match=r"state must come from this model; start from initial_state\(2\)"):
            model(signal(), state=state)


def test_block_refuses_a_layer_of_another_width():
    with pytest.raises(UserError, match="SimpleBlock: d must equal the layer's 4; got 6"):
        SimpleBlock(S4D(4, 2), 6)
