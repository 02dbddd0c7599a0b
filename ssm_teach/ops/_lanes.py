"""Sixteen float32 numbers side by side, as one value in compiled code. Importing this needs Numba.

Whether a compiler turns a loop into vector instructions hangs on the loop's length, on the arrays that might overlap
and on its version. Where it did, half of the time of the selective scan went into making sure that no two of ten arrays
overlap. Lanes say it outright: one operation on sixteen numbers. It is one instruction with AVX-512, two with AVX2.

    x = load(array, offset)      # sixteen numbers of a C-contiguous array of any shape, from a flat, unsigned offset
    y = 2 * x + x * x            # +, −, · and / of lanes with lanes, or with one float32 for all of them
    store(array, offset, y)

NaN and infinity are what they are in single numbers; a product and a sum may become one instruction.
"""

import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

__all__ = ["LANES", "at_least", "at_most", "load", "scaled", "spread", "store", "total", "where_above"]

LANES = 16

_FLOAT, _INT = ir.FloatType(), ir.IntType(32)
_FLOATS, _INTS = ir.VectorType(_FLOAT, LANES), ir.VectorType(_INT, LANES)
_MANTISSA = 23  # bits of one


class _Lanes(types.Type):
    def __init__(self):
        super().__init__(name="lanes")


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager, numba_type):
        super().__init__(manager, numba_type, _FLOATS)


_lanes = _Lanes()


# An intrinsic says what type it returns, and builds its code from the values it is given.


@intrinsic
def load(typing, array, offset):
    """The sixteen numbers of the array from this offset on."""

    def generate(context, builder, signature, values):
        return builder.load(_address(context, builder, signature, values), align=4)

    return _lanes(array, types.uint64), generate


@intrinsic
def store(typing, array, offset, value):
    """Write sixteen numbers into the array, from this offset on."""

    def generate(context, builder, signature, values):
        builder.store(values[2], _address(context, builder, signature, values), align=4)
        return context.get_dummy_value()

    return types.void(array, types.uint64, _lanes), generate


def _address(context, builder, signature, values):
    array = context.make_array(signature.args[0])(context, builder, values[0])
    return builder.bitcast(builder.gep(array.data, [values[1]]), _FLOATS.as_pointer())


@intrinsic
def spread(typing, number):
    """The same number in all lanes."""

    def generate(context, builder, signature, values):
        return _spread(builder, values[0])

    return _lanes(types.float32), generate


def _spread(builder, number):
    nothing = ir.Constant(_FLOATS, ir.Undefined)
    first = builder.insert_element(nothing, number, ir.Constant(_INT, 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(_INTS, [0] * LANES))


@intrinsic
def total(typing, x):
    """The sum of all lanes, in whatever order is fastest."""

    def generate(context, builder, signature, values):
        name, function_type = f"llvm.vector.reduce.fadd.v{LANES}f32", ir.FunctionType(_FLOAT, [_FLOAT, _FLOATS])
        function = cgutils.get_or_insert_function(builder.module, function_type, name)
        return builder.call(function, [ir.Constant(_FLOAT, -0.0), values[0]], fastmath=("reassoc",))

    return types.float32(_lanes), generate


@intrinsic
def scaled(typing, x, rounded):
    """x · 2ⁿ, lane by lane, with the whole number n in the lowest bits of ``rounded``: added to the exponent of x."""

    def generate(context, builder, signature, values):
        x, n = (builder.bitcast(value, _INTS) for value in values)
        return builder.bitcast(builder.add(x, builder.shl(n, ir.Constant(_INTS, [_MANTISSA] * LANES))), _FLOATS)

    return _lanes(_lanes, _lanes), generate


def _limited(comparison):
    @intrinsic
    def limit(typing, x, bound):
        def generate(context, builder, signature, values):
            bound = _spread(builder, values[1])
            return builder.select(builder.fcmp_ordered(comparison, values[0], bound), bound, values[0])

        return _lanes(_lanes, types.float32), generate

    return limit


at_least, at_most = _limited("<"), _limited(">")  # x, or the bound where x is beyond it; NaN stays NaN


@intrinsic
def where_above(typing, x, bound, yes, no):
    """``yes`` in the lanes where x > bound, else ``no``."""

    def generate(context, builder, signature, values):
        x, bound, yes, no = values
        return builder.select(builder.fcmp_ordered(">", x, _spread(builder, bound)), yes, no)

    return _lanes(_lanes, types.float32, _lanes, _lanes), generate


def _define(symbol, instruction):
    @intrinsic
    def both(typing, x, y):
        def generate(context, builder, signature, values):
            return getattr(builder, instruction)(*values, flags=("contract",))

        return _lanes(_lanes, _lanes), generate

    @overload(symbol)
    def _(x, y):
        if x is _lanes and y is _lanes:
            return lambda x, y: both(x, y)
        if x is _lanes and y is types.float32:
            return lambda x, y: both(x, spread(y))
        if x is types.float32 and y is _lanes:
            return lambda x, y: both(spread(x), y)
        return None


for _symbol, _instruction in (
    (operator.add, "fadd"), (operator.sub, "fsub"), (operator.mul, "fmul"), (operator.truediv, "fdiv")
):  # fmt: skip
    _define(_symbol, _instruction)
