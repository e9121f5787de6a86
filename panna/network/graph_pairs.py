"""Angular terms of descriptors over all combinations of an atom's neighbours, in TensorFlow.

The components of neighbours j and k are products

    w(r_j, r_k, c) R_p(u) T_q(c),    c the cosine of their angle, u a function of r_j, r_k and c,

so that the sums over p and q are products of small matrices, and only the derivatives by r_j, r_k
and c, three numbers for each pair, meet the vectors:

    dc/dv_j = (u_k - c u_j) / r_j  with unit vectors u_j and u_k.

Shapes: N atoms, J and K neighbours of two species, P and Q factors.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from panna.descriptors.parameters import BP, MBP

SMALLEST_SINE2 = 1e-20  # angle derivative of collinear triples when eps = 0, as in the core
SMALLEST_BASE = 1e-30  # of a power that is not an integer
SMALLEST_LENGTH2 = 1e-12  # angstrom^2, of a neighbour from itself, which does not count


class Legs(NamedTuple):
    """Neighbours of one kind: r (N, K), distances; u (N, K, 3), directions."""

    r: tf.Tensor
    u: tf.Tensor

    @classmethod
    def of(cls, vectors: tf.Tensor, far: float) -> Legs:
        """far: distance of the vectors that are none, beyond all cutoffs; their direction is 0."""
        square = tf.reduce_sum(vectors * vectors, 2)
        nowhere = tf.constant(far * far, vectors.dtype)
        r = tf.sqrt(tf.where(square > 0, square, nowhere))
        return cls(r, vectors / r[:, :, None])


class Function(NamedTuple):
    """A function of each pair and its derivatives by r_j, r_k and c; (N, X) or numbers."""

    value: Any
    j: Any
    k: Any
    c: Any


class Geometry(NamedTuple):
    """r_j, r_k, cosine and squared sine of the angle of each pair, (N, X)."""

    r_j: tf.Tensor
    r_k: tf.Tensor
    c: tf.Tensor
    sine2: tf.Tensor


def cutoff_function(r: tf.Tensor, rc: float, zeroed: bool = True) -> tuple[tf.Tensor, tf.Tensor]:
    """fc(r) and its derivative, both 0 from rc on unless zeroed is False."""
    x = r * (np.pi / rc)
    value, slope = 0.5 + 0.5 * tf.cos(x), (-0.5 * np.pi / rc) * tf.sin(x)
    if not zeroed:
        return value, slope
    inside = r < rc
    return tf.where(inside, value, tf.zeros_like(r)), tf.where(inside, slope, tf.zeros_like(r))


def _column(values: Any, like: tf.Tensor) -> tf.Tensor:
    """Constants (P,) as (P, 1)."""
    return tf.constant(np.asarray(values, float)[:, None], like.dtype)


class _Powers:
    """base^zeta for one exponent of each of Q arrays, by way of base^(zeta - 1)."""

    def __init__(self, zeta: tuple[float, ...]) -> None:
        self.zeta = np.asarray(zeta, float)
        self._whole = np.maximum(np.floor(self.zeta - 1.0), 0).astype(np.int64)
        self._rest = self.zeta - 1.0 - self._whole

    def __call__(self, base: tf.Tensor, slope: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """(N, Q, X) base and its derivative -> power and its derivative."""
        lower = None
        square, bits = base, self._whole
        while bits.any():
            odd = (bits % 2).astype(bool)
            if odd.any():
                factor = square
                if not odd.all():
                    factor = tf.where(odd[:, None], square, tf.ones_like(square))
                lower = factor if lower is None else lower * factor
            bits = bits // 2
            if bits.any():
                square = square * square
        if self._rest.any():
            logarithm = tf.math.log(tf.maximum(base, SMALLEST_BASE))
            factor = tf.exp(_column(self._rest, base) * logarithm)
            lower = factor if lower is None else lower * factor
        if lower is None:
            return base, slope
        return lower * base, _column(self.zeta, base) * lower * slope


class MBPTerms:
    """Eq. 5 of Lot et al., CPC 256, 107402 (2020), smoothed as in its note 63; u = (r_j + r_k) / 2.

    P centres of distances, Q angles.
    """

    def __init__(self, parameters: MBP) -> None:
        self.parameters = parameters
        self.shape = (len(parameters.rs_ang), len(parameters.thetas))
        self.size = self.shape[0] * self.shape[1]
        self._powers = _Powers(parameters.zeta)

    def radius(self, at: Geometry) -> Function:
        return Function(0.5 * (at.r_j + at.r_k), 0.5, 0.5, 0.0)

    def weight(self, at: Geometry, alike: bool) -> Function:
        p = self.parameters
        factor = 4.0 if alike and p.like_pairs == "twice" else 2.0
        f_j, df_j = cutoff_function(at.r_j, p.rc_ang)
        f_k, df_k = cutoff_function(at.r_k, p.rc_ang)
        f_j, df_j = factor * f_j, factor * df_j
        return Function(f_j * f_k, df_j * f_k, f_j * df_k, 0.0)

    def shells(self, u: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """(N, P, X) R_p and its derivative."""
        eta, r_s = _column(self.parameters.eta_ang, u), _column(self.parameters.rs_ang, u)
        distance = u[:, None] - r_s
        value = tf.exp(-eta * distance * distance)
        return value, -2.0 * eta * distance * value

    def angles(self, at: Geometry) -> tuple[tf.Tensor, tf.Tensor]:
        """(N, Q, X) T_q and its derivative."""
        theta = np.asarray(self.parameters.thetas)
        smooth = self.parameters.eps * np.sin(theta) ** 2
        norm = 1.0 / (1.0 + np.sqrt(1.0 + smooth))
        c = at.c[:, None]
        sine2 = tf.maximum(at.sine2[:, None] + _column(smooth, c), SMALLEST_SINE2)
        inverse = tf.math.rsqrt(sine2)
        cos, sin = _column(norm * np.cos(theta), c), _column(norm * np.sin(theta), c)
        base = _column(norm, c) + cos * c + sin * (sine2 * inverse)
        return self._powers(base, cos - sin * c * inverse)


class BPTerms:
    """Eq. 4 of the same paper; u = r_j^2 + r_k^2 + r_jk^2.

    P widths, Q combinations of zeta and lambda.
    """

    def __init__(self, parameters: BP) -> None:
        self.parameters = parameters
        self.shape = (len(parameters.eta_ang), 2 * len(parameters.zeta))
        self.size = self.shape[0] * self.shape[1]
        self._powers = _Powers(tuple(np.repeat(parameters.zeta, 2)))

    def radius(self, at: Geometry) -> Function:
        r_j, r_k, c = at.r_j, at.r_k, at.c
        value = 2.0 * (r_j * r_j + r_k * r_k - r_j * r_k * c)
        return Function(
            value, 4.0 * r_j - 2.0 * r_k * c, 4.0 * r_k - 2.0 * r_j * c, -2.0 * r_j * r_k
        )

    def weight(self, at: Geometry, alike: bool) -> Function:
        rc, r_j, r_k, c = self.parameters.rc_ang, at.r_j, at.r_k, at.c
        # Keeps more digits of short distances than the law of cosines as it is written.
        square = (r_j - r_k) ** 2 + 2.0 * r_j * r_k * (1.0 - c)
        r_jk = tf.sqrt(tf.maximum(square, SMALLEST_LENGTH2))
        f_j, df_j = cutoff_function(r_j, rc)
        f_k, df_k = cutoff_function(r_k, rc)
        smooth = self.parameters.rjk_cutoff == "smooth"
        f_jk, df_jk = cutoff_function(r_jk, rc, zeroed=smooth)
        f_j, df_j = 2.0 * f_j, 2.0 * df_j
        slope = f_j * f_k * df_jk / r_jk
        return Function(
            f_j * f_k * f_jk,
            df_j * f_k * f_jk + slope * (r_j - r_k * c),
            f_j * df_k * f_jk + slope * (r_k - r_j * c),
            -slope * r_j * r_k,
        )

    def shells(self, u: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """(N, P, X) R_p and its derivative."""
        eta = _column(self.parameters.eta_ang, u)
        value = tf.exp(-eta * u[:, None])
        return value, -eta * value

    def angles(self, at: Geometry) -> tuple[tf.Tensor, tf.Tensor]:
        """(N, Q, X) T_q and its derivative."""
        half = _column(np.tile([0.5, -0.5], len(self.parameters.zeta)), at.c)
        base = tf.maximum(0.5 + half * at.c[:, None], 0.0)
        return self._powers(base, half + tf.zeros_like(base))


class Combinations:
    """Pairs of one of J and one of K neighbours; each pair of the J only once if they are alike.

    Of X pairs in all, the arrays of pairs are (N, X) and those of combinations (N, J, K).
    """

    def __init__(self, j_count: tf.Tensor, k_count: tf.Tensor, alike: bool) -> None:
        self.j_count, self.k_count, self.alike = j_count, k_count, alike
        if alike:
            # Pairs j < k, numbered k (k - 1) / 2 + j.
            self.count = j_count * (j_count - 1) // 2
            number = tf.range(self.count)
            root = tf.sqrt(8.0 * tf.cast(number, tf.float64) + 1.0)
            self.k = tf.cast(tf.floor((1.0 + root) / 2.0), tf.int32)
            self.j = number - self.k * (self.k - 1) // 2
        else:
            self.count = j_count * k_count
            self.j, self.k = tf.range(self.count) // k_count, tf.range(self.count) % k_count

    def of_j(self, values: tf.Tensor) -> tf.Tensor:
        """(N, J) -> (N, X)."""
        return tf.gather(values, self.j, axis=1)

    def of_k(self, values: tf.Tensor) -> tf.Tensor:
        """(N, K) -> (N, X)."""
        return tf.gather(values, self.k, axis=1)

    def take(self, square: tf.Tensor, turned: bool = False) -> tf.Tensor:
        """(N, J, K) -> (N, X); turned: elements [k, j] of (N, K, J)."""
        width = self.j_count if turned else self.k_count
        at = self.k * width + self.j if turned else self.j * width + self.k
        flat = tf.reshape(square, [tf.shape(square)[0], self.j_count * self.k_count])
        return tf.gather(flat, at, axis=1)

    def spread(self, of_jk: tf.Tensor, of_kj: tf.Tensor) -> tf.Tensor:
        """(N, X) twice -> (N, J, K), the second one where j > k if they are alike."""
        if not self.alike:
            return tf.reshape(of_jk, [tf.shape(of_jk)[0], self.j_count, self.k_count])
        one, other = tf.range(self.j_count)[:, None], tf.range(self.j_count)[None, :]
        low, high = tf.minimum(one, other), tf.maximum(one, other)
        number = high * (high - 1) // 2 + low
        number = tf.where(one < other, number, self.count + number)
        number = tf.where(one == other, 2 * self.count, number)
        nothing = tf.zeros([tf.shape(of_jk)[0], 1], of_jk.dtype)
        return tf.gather(tf.concat([of_jk, of_kj, nothing], 1), number, axis=1)


class PairBlock:
    """Terms of the pairs of neighbours of species a and b; alike: a = b."""

    def __init__(self, terms: MBPTerms | BPTerms, j: Legs, k: Legs, alike: bool) -> None:
        self.terms, self.j, self.k = terms, j, k
        self.pairs = Combinations(tf.shape(j.r)[1], tf.shape(k.r)[1], alike)
        cosines = tf.clip_by_value(tf.matmul(j.u, k.u, transpose_b=True), -1.0, 1.0)
        self.cosines = cosines
        self.at = Geometry(
            self.pairs.of_j(j.r),
            self.pairs.of_k(k.r),
            self.pairs.take(cosines),
            self.pairs.take(_squared_sines(j.u, k.u)),
        )
        self.u, self.w = terms.radius(self.at), terms.weight(self.at, alike)

    def values(self) -> tf.Tensor:
        """(N, P Q)."""
        shells, angles = self.terms.shells(self.u.value)[0], self.terms.angles(self.at)[0]
        return self._block(tf.matmul(self.w.value[:, None] * shells, angles, transpose_b=True))

    def slopes(self, block: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None]:
        """(N, P Q) -> (N, J, 3) and (N, K, 3); None if the neighbours are the same ones."""
        (shells, d_shells), (angles, d_angles) = self._factors()
        factors = tf.reshape(block, [-1, *self.terms.shape])
        of_shells = tf.matmul(factors, shells, transpose_a=True)
        of_slopes = tf.matmul(factors, d_shells, transpose_a=True)
        value = tf.reduce_sum(of_shells * angles, 1)
        by_u = self.w.value * tf.reduce_sum(of_slopes * angles, 1)
        by_angle = self.w.value * tf.reduce_sum(of_shells * d_angles, 1)
        by_c = self.w.c * value + self.u.c * by_u + by_angle
        by_j, by_k = self.w.j * value + self.u.j * by_u, self.w.k * value + self.u.k * by_u
        by_c = self.pairs.spread(by_c, by_c)
        turned = by_c * self.cosines
        pull = tf.matmul(by_c, self.k.u)
        of_j = _on_vectors(self.j, self.pairs.spread(by_j, by_k), turned, pull, 2)
        if self.pairs.alike:
            return of_j, None
        pull = tf.matmul(by_c, self.j.u, transpose_a=True)
        return of_j, _on_vectors(self.k, self.pairs.spread(by_k, by_j), turned, pull, 1)

    def changes(
        self, t_j: tf.Tensor, t_k: tf.Tensor, dr_j: tf.Tensor, dr_k: tf.Tensor
    ) -> tf.Tensor:
        """(N, P Q) from the changes of the vectors (N, J, 3), (N, K, 3) and of their lengths."""
        (shells, d_shells), (angles, d_angles) = self._factors()
        dc = self.pairs.take(_turns(t_j, dr_j, self.j, self.k, self.cosines))
        opposite = tf.linalg.matrix_transpose(self.cosines)
        dc += self.pairs.take(_turns(t_k, dr_k, self.k, self.j, opposite), turned=True)
        dr_j, dr_k = self.pairs.of_j(dr_j), self.pairs.of_k(dr_k)
        dw = self.w.j * dr_j + self.w.k * dr_k + self.w.c * dc
        du = self.w.value * (self.u.j * dr_j + self.u.k * dr_k + self.u.c * dc)
        of_angle = dw[:, None] * shells + du[:, None] * d_shells
        of_slope = (self.w.value * dc)[:, None] * shells
        return self._block(
            tf.matmul(of_angle, angles, transpose_b=True)
            + tf.matmul(of_slope, d_angles, transpose_b=True)
        )

    def _factors(self):
        return self.terms.shells(self.u.value), self.terms.angles(self.at)

    def _block(self, matrix: tf.Tensor) -> tf.Tensor:
        return tf.reshape(matrix, [-1, self.terms.size])


def _squared_sines(u_j: tf.Tensor, u_k: tf.Tensor) -> tf.Tensor:
    """(N, J, K), by the cross product: 1 - c^2 has few digits for neighbours on one line."""
    a, b = tf.unstack(u_j[:, :, None], axis=3), tf.unstack(u_k[:, None], axis=3)
    return sum((a[x] * b[y] - a[y] * b[x]) ** 2 for x, y in ((0, 1), (1, 2), (2, 0)))


def _turns(t: tf.Tensor, dr: tf.Tensor, j: Legs, k: Legs, cosines: tf.Tensor) -> tf.Tensor:
    """(N, J, K) changes of the cosines when vectors j change by t and their lengths by dr."""
    return (tf.matmul(t, k.u, transpose_b=True) - cosines * dr[:, :, None]) / j.r[:, :, None]


def _on_vectors(
    legs: Legs, by_r: tf.Tensor, turned: tf.Tensor, pull: tf.Tensor, axis: int
) -> tf.Tensor:
    """Derivatives by vectors, from those by their lengths and by cosines."""
    r = legs.r[:, :, None]
    along = tf.reduce_sum(by_r, axis)[:, :, None] - tf.reduce_sum(turned, axis)[:, :, None] / r
    return along * legs.u + pull / r
