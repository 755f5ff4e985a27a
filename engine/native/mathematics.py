"""Functions of single numbers, as vector code: exp, sin, pow and what activations are made of.

Each is within 4 last places of the right value, wherever that and what it is of are normal numbers; a subnormal one
counts as 0, infinity gives the limit and NaN stays NaN (``tests/engine/test_mathematics.py``).  The polynomials are
those of the least largest error (Remez) on the interval that the range is reduced to.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from llvmlite import ir

from engine.native.bits import (
    DOUBLE,
    WHOLE,
    bits,
    is_number,
    narrow,
    of_bits,
    polynomial,
    reciprocal,
    signed,
    whole,
    wide,
    words,
)
from engine.native.lanes import FLOAT, FUSED, Lanes, fabs, floor, larger, multiply_add, named, select, smaller, sqrt

LEAST = 2.0**-126  # the smallest normal number
INFINITY = math.inf
LOG2E = 1.4426950408889634
LN2, LN2_LEFT = 0.693359375, -2.12194440e-4  # the first has few digits: k times it is exact


def _parted(x: Lanes) -> tuple[Lanes, ir.Value]:
    """exp(x) as 2^k (1 + p): p, and k's bits where float32 has the exponent's."""
    shifted = x * LOG2E + WHOLE
    k = shifted - WHOLE
    return _exp_near_0((x - k * LN2) - k * LN2_LEFT), _exponent(shifted)


def _exp_near_0(r: Lanes) -> Lanes:
    """exp(r) - 1, for r within half the logarithm of 2."""
    return r + r * r * polynomial(r, 0.500000005848, 0.16666544173, 0.0416662866443, 0.00836656517387, 0.00139463691068)


def _exponent(shifted: Lanes) -> ir.Value:
    """A whole number to which WHOLE was added, where float32 has the exponent."""
    return shifted.builder.shl(bits(shifted), words(shifted, 23))


def _scaled(x: Lanes, exponent: ir.Value) -> Lanes:
    """``x`` times 2^k, by the bits; NaN has none to add to."""
    return select(is_number(x), of_bits(x, x.builder.add(bits(x), exponent)), x)


def exp(x: Lanes) -> Lanes:
    p, exponent = _parted(x)
    found = _scaled(1 + p, exponent)
    return select(x > 88.72283172607422, INFINITY, select(x < -87.33654022216797, 0, found))


def _exp_below(x: Lanes) -> Lanes:
    """exp(x) - 1 for x from -87 to 0."""
    p, exponent = _parted(x)
    power = of_bits(x, x.builder.add(exponent, words(x, 127 << 23)))
    return p * power + (power - 1)


def expm1(x: Lanes) -> Lanes:
    """exp(x) - 1 without loss near 0."""
    return select(x > 17.5, exp(x), _exp_below(select(x < -20, -20, select(x > 17.5, 17.5, x))))


def _of_exponent(x: Lanes) -> tuple[Lanes, ir.Value]:
    """Positive x as m 2^k, m from the root of 1/2 to that of 2: m, and the whole number k."""
    b = x.builder
    k = b.ashr(b.sub(bits(x), words(x, 0x3F3504F3)), words(x, 23))
    return of_bits(x, b.sub(bits(x), b.shl(k, words(x, 23)))), k


def _logarithm(k: ir.Value, f: Lanes) -> Lanes:
    """Of 2^k (1 + f), f from the root of 1/2, less 1, to that of 2, less 1."""
    e, z = Lanes(f.builder, f.builder.sitofp(k, f.kind(FLOAT))), f * f
    p = polynomial(
        f, 0.333333167259, -0.250008104017, 0.200022862752, -0.166245541567, 0.141811919596, -0.13128753788,
        0.128816471192, -0.078596137093,
    )  # fmt: skip
    return e * LN2 + (f + (f * z * p + e * LN2_LEFT - 0.5 * z))


def _with_ends(x: Lanes, found: Lanes) -> Lanes:
    """``found``, a logarithm of x, where x is positive and finite; else the limit, or NaN."""
    found = select(x < INFINITY, found, x)
    return select(x < LEAST, select(x > -LEAST, -INFINITY, math.nan), found)


def log(x: Lanes) -> Lanes:
    m, k = _of_exponent(x)
    return _with_ends(x, _logarithm(k, m - 1))


def log1p(x: Lanes) -> Lanes:
    """log(1 + x) without loss near 0: what the sum rounded away is put back."""
    b, u = x.builder, 1 + x
    m, k = _of_exponent(u)
    scale = of_bits(x, b.sub(words(x, 127 << 23), b.shl(k, words(x, 23))))
    lost = select(x < 1e9, (x - (u - 1)) * scale, 0)
    return _with_ends(u, _logarithm(k, (m - 1) + lost))


def _falling(u: Lanes) -> tuple[Lanes, Lanes]:
    """Of e = exp(u), for u that aren't positive: 4 e, which is a normal number for longer than e, and 4 (e - 1).

    A function and its slope at the same place both begin with this, so that vector code that gives both has it once.
    """
    p, exponent = _parted(select(u < -89.4, -89.4, u))  # where 4 e is 0
    power = of_bits(u, u.builder.add(exponent, words(u, 129 << 23)))
    return (1 + p) * power, multiply_add(p, power, power - 4)  # without FMA, p * power is 0 before 4 e is


def tanh(x: Lanes) -> Lanes:
    four, less = _falling(-2 * fabs(x))
    return signed(-less * reciprocal(4 + four), bits(x))


def sigmoid(x: Lanes) -> Lanes:
    e = 0.25 * _falling(-fabs(x))[0]
    t = reciprocal(1 + e)
    return select(x >= 0, t, e * t)


def _bell(u: Lanes) -> Lanes:
    """4 e / (1 + e)^2 with e = exp(u), for u that aren't positive."""
    four, _ = _falling(u)
    e = 0.25 * four
    return four * reciprocal(1 + e * (2 + e))


def tanh_slope(x: Lanes) -> Lanes:
    return _bell(-2 * fabs(x))


def sigmoid_slope(x: Lanes) -> Lanes:
    return 0.25 * _bell(-fabs(x))


_A = 2 * math.sqrt(2 / math.pi)
_B = 0.044715 * _A
_A_HIGH = round(_A * 2**20) / 2**20  # what is between 1 and 16 less this is exact
_B_HIGH = round(_B * 2**27) / 2**27
_NOTHING, _ALL = -10.3, 6  # gelu and its slope are no normal numbers before the one, and x and 1 after the other
_SCALE = 32  # binary digits


def _reduced(x: Lanes) -> tuple[Lanes, Lanes]:
    """k and r of exp(-A x - B x^3) = 2^k exp(r): k with WHOLE added, and r right to its last places."""
    if not FUSED:
        d = wide(x)
        power = d * (_A + _B * (d * d))
        shifted = narrow(power) * -LOG2E + WHOLE
        return shifted, narrow(wide(shifted - WHOLE) * -math.log(2) - power)
    square = x * x
    sum_ = multiply_add(square, _B_HIGH, _A_HIGH)
    lost = multiply_add(square, _B_HIGH, _A_HIGH - sum_) + multiply_add(
        multiply_add(x, x, -square), _B_HIGH, square * (_B - _B_HIGH) + (_A - _A_HIGH)
    )
    shifted = (x * sum_) * -LOG2E + WHOLE
    k = shifted - WHOLE
    return shifted, multiply_add(-x, sum_, k * -LN2) - k * LN2_LEFT - x * lost


def _share(x: Lanes) -> tuple[Lanes, Lanes]:
    """What gelu multiplies x with is 1 / (1 + E), E = exp(-A x - B x^3): t E and 1 / (t + t E) for t of 2^-SCALE.

    So they are normal numbers, for x between NOTHING and ALL.
    """
    b = x.builder
    shifted, r = _reduced(x)
    scaled = of_bits(x, b.add(bits(1 + _exp_near_0(r)), b.sub(_exponent(shifted), words(x, _SCALE << 23))))
    return scaled, reciprocal(2.0**-_SCALE + scaled)


def gelu(x: Lanes) -> Lanes:
    _, inverse = _share(x)
    return select(x > _ALL, x, select(x < _NOTHING, 0, x * inverse * 2.0**-_SCALE))


def gelu_slope(x: Lanes) -> Lanes:
    """Near its zero, where the form that holds elsewhere is a difference of equals, a polynomial times the distance."""
    scaled, inverse = _share(x)
    d = wide(x)
    turn = d * (_A + 3 * _B * (d * d))
    rest = select(x < 0, 1 - 2.0**-_SCALE * inverse, scaled * inverse)
    found = 2.0**-_SCALE * (inverse * narrow(1 + turn * wide(rest)))
    found = select(x > _ALL, 1, select(x < _NOTHING, 0, found))
    t = x + 0.9375
    more = polynomial(
        t, 0.0429106849902, -0.0956581588223, -0.0316696199226, 0.0124552135423, 0.00737748025944, -0.000807703972407,
        -0.00104637674075, -3.59057520117e-5,
    )  # fmt: skip
    factor = 0.358852215968 + t * (0.38218425501 + t * more)  # one after the other: all by pairs are 5 last places off
    near = ((x + 0.7524614334106445) + -1.13396282e-08) * factor
    return select((x > -1.5) & (x < -0.4), near, found)


def _sine(x: Lanes, quarters: int) -> Lanes:
    """The sine, that many quarters of a circle further on; the C library's of angles of more than 100,000."""
    b = x.builder
    d = wide(x)
    k, number = whole(d * (2 / math.pi))
    r = narrow((d - k * 1.57079632673412561417) - k * 6.07710050650619224932e-11)  # k times the first is exact
    z = r * r
    sine = r + r * z * polynomial(z, -0.166666549086, 0.00833217584639, -0.000195169774755)
    cosine = 1 - 0.5 * z + z * z * polynomial(z, 0.0416666468072, -0.00138873644852, 2.4438090933e-5)
    number = b.add(number, words(x, quarters))
    odd = Lanes(b, b.icmp_signed("!=", b.and_(number, words(x, 1)), words(x, 0)))
    found = signed(select(odd, cosine, sine), b.shl(number, words(x, 30)))
    return _rarely(fabs(x) > 1e5, found, lambda: named("cos" if quarters else "sin")(x))


def _rarely(where: Lanes, found: Lanes, otherwise: Callable[[], Lanes]) -> Lanes:
    """``found``, but what is ``otherwise`` in the lanes of ``where``: the latter is done only if there are any."""
    b = found.builder
    mask = ir.IntType(found.value.type.count)
    some = b.icmp_unsigned("!=", b.bitcast(where.value, mask), ir.Constant(mask, 0))
    before = b.block
    with b.if_then(some, likely=False):
        mended = select(where, otherwise(), found)
        inside = b.block
    result = b.phi(found.value.type)
    result.add_incoming(found.value, before)
    result.add_incoming(mended.value, inside)
    return Lanes(b, result)


def sin(x: Lanes) -> Lanes:
    return _sine(x, 0)


def cos(x: Lanes) -> Lanes:
    return _sine(x, 1)


def power(x: Any, y: Any) -> Lanes:
    """x^y by C's rules: 2^(y log2 |x|), the power in double, with x's sign for odd y; NaN for x < 0 and a broken y."""
    if not isinstance(x, Lanes):
        x = Lanes(y.builder, y.of(x))
    y = Lanes(x.builder, x.of(y))
    b, size = x.builder, fabs(x)
    m, k = _of_exponent(size)
    f = wide(m - 1)
    slope = polynomial(
        f, 1.44269504091523459, -0.721347525468971068, 0.480898332813981277, -0.360672764391702059,
        0.288539649959131544, -0.24050514903353094, 0.206125648666372767, -0.17905164836604195, 0.158637596391106289,
        -0.156640575425167283, 0.156466913212639674, -0.0887591395844264347,
    )  # fmt: skip
    logarithm = Lanes(b, b.sitofp(k, x.kind(DOUBLE))) + f * slope
    logarithm = select(size < LEAST, -1e300, select(size == INFINITY, 1e300, logarithm))
    t = wide(select(y > 1e10, 1e10, select(y < -1e10, -1e10, y))) * logarithm
    t = select(t > 200, 200, select(t < -200, -200, t))
    n, exponent = whole(t)
    g = narrow(t - n)
    two_to = 1 + g * polynomial(
        g, 0.693147205415, 0.240226513377, 0.0555032887606, 0.00961800465828, 0.00133999601087, 0.000154761251802
    )
    found = _scaled(two_to, b.shl(exponent, words(x, 23)))
    found = select(t >= 128, INFINITY, select(t < -126, 0, found))
    is_whole = floor(y) == y
    is_odd = is_whole & (floor(y * 0.5) * 2 != y)
    found = signed(found, b.select(is_odd.value, bits(x), words(x, 0)))
    found = select(~is_whole & (x < 0) & (size < INFINITY), math.nan, found)
    found = select(is_number(x) & is_number(y), found, x + y)
    return select((y == 0) | (x == 1), 1, found)


MATH: dict[str, Any] = {  # the words of the op records' ``code``
    "tanh": tanh, "exp": exp, "log": log, "expm1": expm1, "log1p": log1p, "sqrt": sqrt, "floor": floor,
    "fabs": fabs, "sin": sin, "cos": cos, "pow": power, "select": select, "max": larger, "min": smaller,
    "sigmoid": sigmoid, "sigmoid_slope": sigmoid_slope, "tanh_slope": tanh_slope, "gelu": gelu,
    "gelu_slope": gelu_slope,
}  # fmt: skip
