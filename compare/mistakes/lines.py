"""The lines of the plain program that mistakes change; each occurs there exactly once."""

SETTING_LINE = "f, slope = VALUES[activation], SLOPES[activation]"
DIVISOR_LINE = 'M = N if reduction == "mean" else 1'
INPUT_LINE = "z, h = {}, {0: x}"
Z_LINE = "z[i] = h[i - 1] @ w[i] + b[i]"
H_LINE = "h[i] = f(z[i])"
LOGITS_LINE = "logits = z[L]"
LOG_LINE = "log_p = log_softmax(logits)"
P_LINE = "p = softmax(logits)\n    " + LOG_LINE
TERMS_LINE = "terms = -y * log_p"
LOSS_LINE = "loss = terms.sum() / M"
ERROR_LINE = "error = p - y"
DLOGITS_LINE = "dz, dh, dw, db = {L: error / M}, {}, {}, {}"
BACKWARD_LINE = "for i in range(L, 0, -1):"
DW_LINE = "dw[i] = h[i - 1].T @ dz[i]"
DB_LINE = "db[i] = dz[i].sum(axis=0)"
DH_LINE = "dh[i - 1] = dz[i] @ w[i].T"
DZ_LINE = "dz[i - 1] = dh[i - 1] * slope(h[i - 1])"
GRADIENTS_LINE = 'gradients = {f"w{i}": dw[i] for i in dw} | {f"b{i}": db[i] for i in db}'


def dlogits_slip(expression: str) -> str:
    """Return the line of dlogits with another expression for it."""
    return DLOGITS_LINE.replace("error / M", expression)


def p_slip(expression: str) -> str:
    """Return the lines of p and log p with another softmax."""
    return f"p = {expression}\n    log_p = np.log(p)"
