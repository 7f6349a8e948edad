"""Q4_K and Q6_K blocks with numpy (see src/ml/core/quant/dtype.h for the layouts).

For Q4_K the scale and minimum of each group of 32 come from a search over near candidates with a
least-squares fit, as other quantisers do it.
"""

import numpy as np

BLOCK = 256


def fit_groups(x, levels):
    """Scales and minima [n] >= 0 for groups x [n, 32]: x is about scale * q - minimum."""
    low = np.minimum(x.min(1), 0)
    high = np.maximum(x.max(1), 0)
    weight = np.abs(x) + np.sqrt((x * x).mean(1, keepdims=True))
    best_error = np.full(len(x), np.inf)
    best_scale, best_minimum = np.zeros(len(x)), np.zeros(len(x))
    for step in range(-6, 15):
        inverse = (levels + 0.1 * step) / np.maximum(high - low, 1e-12)
        q = np.clip(np.rint((x - low[:, None]) * inverse[:, None]), 0, levels)
        sum_w, sum_q = weight.sum(1), (weight * q).sum(1)
        sum_qq, sum_x = (weight * q * q).sum(1), (weight * x).sum(1)
        sum_qx = (weight * q * x).sum(1)
        det = sum_w * sum_qq - sum_q * sum_q
        safe = np.where(det > 0, det, 1)
        scale = np.where(det > 0, (sum_w * sum_qx - sum_q * sum_x) / safe, 0)
        minimum = -np.where(det > 0, (sum_qq * sum_x - sum_q * sum_qx) / safe, 0)
        free = minimum < 0
        scale = np.where(free, sum_qx / np.maximum(sum_qq, 1e-12), scale)
        minimum = np.where(free, 0, minimum)
        error = (weight * (scale[:, None] * q - minimum[:, None] - x) ** 2).sum(1)
        better = (error < best_error) & (scale > 0)
        best_error = np.where(better, error, best_error)
        best_scale = np.where(better, scale, best_scale)
        best_minimum = np.where(better, minimum, best_minimum)
    return best_scale, best_minimum


def pack_scales(scales, minima):
    """6-bit scales and minima [n, 8] in 12 bytes."""
    out = np.zeros((len(scales), 12), np.uint8)
    out[:, 0:4] = scales[:, 0:4] | (scales[:, 4:8] >> 4 << 6)
    out[:, 4:8] = minima[:, 0:4] | (minima[:, 4:8] >> 4 << 6)
    out[:, 8:12] = (scales[:, 4:8] & 15) | ((minima[:, 4:8] & 15) << 4)
    return out


def q4_k(values):
    """(bytes [n, 144], the values that they stand for)"""
    x = values.astype(np.float64).reshape(-1, 8, 32)
    scale, minimum = fit_groups(x.reshape(-1, 32), 15)
    scale, minimum = scale.reshape(-1, 8), minimum.reshape(-1, 8)
    d = (scale.max(1) / 63).astype(np.float16)
    dmin = (minimum.max(1) / 63).astype(np.float16)

    def steps(parts, unit):
        unit = unit.astype(np.float64)[:, None]
        return np.clip(np.rint(parts / np.where(unit > 0, unit, 1)), 0, 63).astype(np.uint8)

    scales, minima = steps(scale, d), steps(minimum, dmin)
    a = (d.astype(np.float64)[:, None] * scales)[:, :, None]
    b = (dmin.astype(np.float64)[:, None] * minima)[:, :, None]
    q = np.clip(np.rint((x + b) / np.where(a > 0, a, 1)), 0, 15).astype(np.uint8)
    pairs = q.reshape(-1, 4, 2, 32)
    nibbles = (pairs[:, :, 0] | (pairs[:, :, 1] << 4)).reshape(-1, 128)
    half = np.stack((d, dmin), 1).view(np.uint8).reshape(-1, 4)
    data = np.concatenate((half, pack_scales(scales, minima), nibbles), 1)
    return data, (a * q - b).reshape(values.shape).astype(np.float32)


def fit_symmetric(x):
    """Scales [n] for groups x [n, 16] with q in -32..31."""
    peak = np.take_along_axis(x, np.abs(x).argmax(1)[:, None], 1)[:, 0]
    best_error, best = np.full(len(x), np.inf), np.zeros(len(x))
    weight = x * x
    for step in range(-9, 10):
        inverse = -(32 + 0.1 * step) / np.where(peak == 0, 1, peak)
        q = np.clip(np.rint(x * inverse[:, None]), -32, 31)
        sum_qq = np.maximum((weight * q * q).sum(1), 1e-30)
        scale = (weight * q * x).sum(1) / sum_qq
        error = (weight * (scale[:, None] * q - x) ** 2).sum(1)
        best = np.where(error < best_error, scale, best)
        best_error = np.minimum(error, best_error)
    return best


def q6_k(values):
    """(bytes [n, 210], the values that they stand for)"""
    x = values.astype(np.float64).reshape(-1, 16, 16)
    scale = fit_symmetric(x.reshape(-1, 16)).reshape(-1, 16)
    peak = np.take_along_axis(scale, np.abs(scale).argmax(1)[:, None], 1)[:, 0]
    d = (peak / -128).astype(np.float16)
    unit = d.astype(np.float64)[:, None]
    scales = np.clip(np.rint(scale / np.where(unit == 0, 1, unit)), -128, 127).astype(np.int8)
    a = (unit * scales)[:, :, None]
    q = np.clip(np.rint(x / np.where(a == 0, 1, a)), -32, 31)
    stored = (q + 32).astype(np.uint8).reshape(-1, 2, 4, 32)
    low, high = stored & 15, stored >> 4
    ql = np.concatenate((low[:, :, 0] | (low[:, :, 2] << 4), low[:, :, 1] | (low[:, :, 3] << 4)), 2)
    qh = high[:, :, 0] | (high[:, :, 1] << 2) | (high[:, :, 2] << 4) | (high[:, :, 3] << 6)
    data = np.concatenate((ql.reshape(-1, 128), qh.reshape(-1, 64), scales.view(np.uint8),
                           d.view(np.uint8).reshape(-1, 2)), 1)
    return data, (a * q).reshape(values.shape).astype(np.float32)
