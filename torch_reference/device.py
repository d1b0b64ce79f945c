"""Where torch computes: a device's name, tried out before anything is built on it."""

import torch


def find_device(name: str, dtype: torch.dtype) -> torch.device:
    """The device torch knows by `name`, after one number has been there and back.

    A name can be well formed and still be of no use: a GPU that is not there, `mps` in float64,
    `meta`, which computes nothing. ValueError, with torch's own reason, for all of them.

    On CUDA the process multiplies float32 in float32 from here on: TF32 would keep 10 of 23 bits.
    """
    try:
        device = torch.device(name)
        torch.zeros(1, dtype=dtype, device=device).item()
    except (AssertionError, ImportError, NotImplementedError, RuntimeError, TypeError) as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise ValueError(
            f"torch cannot compute in {dtype} on the device {name!r}: {reason}. Try 'cpu'."
        ) from error
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = False
    return device
