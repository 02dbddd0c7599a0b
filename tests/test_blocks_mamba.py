"""The Mamba block, its short convolution, and the model made of such blocks."""

import pytest
import torch
from torch.nn import functional as F

from ssm_teach.blocks import MambaBlock, ShortConv
from ssm_teach.errors import UserError
from ssm_teach.layers import LAYERS, S6, make
from ssm_teach.model import BLOCKS, POOLS, SequenceModel, parameter_groups

every_layer = pytest.mark.parametrize("layer", LAYERS)


def signal(L=20, b=2, d=6):
    return torch.randn(b, L, d, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def build(layer="s6", d=6, N=4, **options):
    torch.manual_seed(0)
    return MambaBlock(make(layer, 2 * d, N), d, **options).double().eval()


def close(first, second):
    assert first.shape == second.shape
    return (first - second).abs().max() < 1e-10


# The short convolution.


@pytest.mark.parametrize("width", [1, 2, 4])
@pytest.mark.parametrize("L", [1, 2, 3, 4, 11])
def test_short_convolution_is_torch_s_with_one_group_a_channel(width, L):
    torch.manual_seed(0)
    conv, u = ShortConv(6, width).double(), signal(L).requires_grad_()
    kernel = conv.weight.flip(0).T[:, None]  # torch wants the oldest weight first
    expected = F.conv1d(F.pad(u.transpose(1, 2), (width - 1, 0)), kernel, conv.bias, groups=6).transpose(1, 2)
    y, _ = conv(u)
    assert close(y, expected)
    inputs = (u, conv.weight, conv.bias)
    for one, other in zip(
        torch.autograd.grad(y.square().sum(), inputs), torch.autograd.grad(expected.square().sum(), inputs), strict=True
    ):
        assert close(one, other)


@pytest.mark.parametrize("sizes", [[1] * 11, [2, 9], [5, 1, 1, 4], [11]])
def test_short_convolution_goes_on_from_its_last_inputs(sizes):
    torch.manual_seed(0)
    conv, u = ShortConv(6, 4).double(), signal(11)
    recent, parts = conv.initial_state(2), []
    for part in u.split(sizes, 1):
        y, recent = conv(part, recent)
        parts.append(y)
    assert close(torch.cat(parts, 1), conv(u)[0])
    assert torch.equal(recent, u[:, -3:])


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1)])
def test_short_convolution_leaves_its_parameters_as_they_are(shape):
    b, L = shape
    conv = ShortConv(6, 4).double()
    before = {name: parameter.detach().clone() for name, parameter in conv.named_parameters()}
    with torch.no_grad():
        conv(signal(L, b))
    for name, parameter in conv.named_parameters():
        assert torch.equal(parameter, before[name]), name


def test_short_convolution_starts_like_torch_s():
    torch.manual_seed(0)
    conv, torch_s = ShortConv(5000, 4), torch.nn.Conv1d(5000, 5000, 4, groups=5000)
    for ours, theirs in ((conv.weight, torch_s.weight), (conv.bias, torch_s.bias)):
        assert ours.abs().max() <= 0.5
        assert ours.std().item() == pytest.approx(theirs.std().item(), rel=0.05)


# The block.


def test_block_is_its_equation():
    block, x = build(), signal()
    normed = x / torch.sqrt(x.square().mean(-1, keepdim=True) + torch.finfo(torch.float64).eps) * block.norm.weight
    main, gate = (normed @ block.expand.weight.T).split([12, 12], -1)
    padded = F.pad(main, (0, 0, 3, 0))
    main = block.conv.bias + sum(block.conv.weight[j] * padded[:, 3 - j : 23 - j] for j in range(4))
    y = block.layer(main * torch.sigmoid(main))
    assert close(block(x), x + (y * gate * torch.sigmoid(gate)) @ block.contract.weight.T)


def test_dropout_comes_right_before_the_projection():
    block, x = build(dropout=0.5).train(), signal(b=64)
    seen = []
    block.contract.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    block(x)
    dropped = (seen[0] == 0).all(1)  # a feature is dropped for the whole sequence
    assert torch.equal(dropped, (seen[0] == 0).any(1))
    assert dropped.double().mean().item() == pytest.approx(0.5, abs=0.08)


@every_layer
def test_stepping_and_chunks_equal_the_whole(layer):
    block, x = build(layer, dropout=0.3), signal()
    whole, (state, steps) = block(x), (block.initial_state(2), [])
    for x_k in x.unbind(1):
        y_k, state = block.step(x_k, state)
        steps.append(y_k)
    assert close(torch.stack(steps, 1), whole)
    state, parts = None, []
    for part in x.split([2, 1, 10, 7], 1):
        y, state = block(part, state=state, return_state=True)
        parts.append(y)
    assert close(torch.cat(parts, 1), whole)
    assert close(block(x[:, 13:], state=block(x[:, :13], return_state=True)[1]), whole[:, 13:])


@every_layer
def test_output_never_depends_on_the_future(layer):
    block, x = build(layer), signal()
    changed = x.clone()
    changed[:, 7] += 1.0
    difference = (block(changed) - block(x)).abs().amax((0, 2))
    assert difference[:7].max() < 1e-12
    assert difference[7] > 1e-6


def test_a_bidirectional_layer_makes_a_bidirectional_block():
    block = MambaBlock(make("s4d", 12, 4, bidirectional=True), 6).double()
    assert not block.causal
    with pytest.raises(UserError, match="a bidirectional layer needs the whole sequence"):
        block.step(signal()[:, 0], block.initial_state(2))


def test_block_refuses_a_layer_that_is_not_twice_as_wide():
    with pytest.raises(UserError, match="MambaBlock: the layer must have 2d = 12 channels; got one with 6"):
        MambaBlock(S6(6, 4), 6)


def test_block_of_the_thesis_has_587k_parameters_and_16_percent_of_them_in_the_layers():
    """Six blocks of d = 116 with N = 16; its Δ has rank ⌈116/16⌉, a sixteenth of the block's channels."""
    model = SequenceModel(d_input=3, d_output=10, layer="s6", block="mamba", d_model=116, n_layers=6, N=16, dt_rank=8)
    total = sum(parameter.numel() for parameter in model.parameters())
    layers = sum(parameter.numel() for block in model.blocks for parameter in block.layer.parameters())
    assert total == pytest.approx(587_000, rel=0.005)
    assert round(layers / total, 2) == 0.16


# The model.


def model_of(layer, **options):
    torch.manual_seed(0)
    sizes = {"vocab": 7, "d_output": 5, "d_model": 6, "n_layers": 2, "N": 4}
    return SequenceModel(**(sizes | {"layer": layer, "block": "mamba"} | options)).double().eval()


@pytest.mark.parametrize("pool", POOLS)
@every_layer
def test_model_steps_and_streams_as_it_runs(layer, pool):
    model, u = model_of(layer, pool=pool), torch.arange(40).reshape(2, 20) * 3 % 7
    state, steps = model.initial_state(2), []
    for u_k in u.unbind(1):
        y_k, state = model.step(u_k, state)
        steps.append(y_k)
    expected = model(u)
    assert close(torch.stack(steps, 1) if pool == "none" else steps[-1], expected)
    state, parts = None, []
    for part in u.split([12, 1, 7], 1):
        y, state = model(part, state=state, return_state=True)
        parts.append(y)
    assert close(torch.cat(parts, 1) if pool == "none" else parts[-1], expected)


def test_a_norm_like_the_blocks_own_comes_before_the_decoder():
    assert isinstance(model_of("s6").norm, torch.nn.RMSNorm)
    assert isinstance(model_of("s4d", block="simple").norm, torch.nn.Identity)


@every_layer
def test_mixed_precision_trains_and_stays_close(layer):
    model, u = model_of(layer).float().train(), torch.arange(40).reshape(2, 20) * 3 % 7
    exact = model(u)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = model(u)
    y.float().square().sum().backward()
    assert (y - exact).abs().max() < 0.05
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_the_optimiser_gives_only_A_of_S6_the_small_learning_rate():
    model = model_of("s6")
    rest, ssm = parameter_groups(model, lr=1e-2, weight_decay=0.1, ssm_lr=1e-3)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert [names[id(parameter)] for parameter in ssm["params"]] == ["blocks.0.layer.A_log", "blocks.1.layer.A_log"]
    assert len(rest["params"]) + 2 == len(names)


def test_unknown_block_names_the_nearest():
    with pytest.raises(UserError, match=r"unknown block 'mambo'; choose one of simple, mamba \(did you mean mamba\?\)"):
        model_of("s6", block="mambo")
    assert list(BLOCKS) == ["simple", "mamba"]
