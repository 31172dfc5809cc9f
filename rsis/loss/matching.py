"""Which object each step answers for."""

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

UNMATCHED = -1


def hungarian_match(costs: torch.Tensor, num_instances: torch.Tensor) -> torch.Tensor:
    """Assign objects to decoder steps at the least total cost (paper, section 3.3).

    Only an image's first min(T, N_b) steps take part, as in the released code: the steps that come after
    the last object answer for none. With more objects than steps the costlier ones are left out.

    Args:
        costs: float [B, T, N], of step t answering for object n; rows and columns beyond an image's own
            are ignored. NaN counts as the highest cost, so that a broken loss is reported, not this.
        num_instances: int64 [B], objects N_b of each image.

    Returns:
        int64 [B, T] on the device of `costs`: the object of each step; -1 where there is none. Image b has
        objects in exactly its first min(T, N_b) entries, each object at most once.
    """
    host = np.nan_to_num(costs.detach().cpu().double().numpy(), nan=1e9, posinf=1e9, neginf=-1e9)
    assigned = np.full(host.shape[:2], UNMATCHED, np.int64)
    for image, count in enumerate(num_instances.tolist()):
        steps = min(host.shape[1], count)
        rows, columns = linear_sum_assignment(host[image, :steps, :count])
        assigned[image, rows] = columns
    return torch.from_numpy(assigned).to(costs.device)


def match_in_order(num_steps: int, num_instances: torch.Tensor) -> torch.Tensor:
    """Assign object t to step t, in the order that the objects are given in; the rest as `hungarian_match`.

    Args:
        num_steps: T.
        num_instances: int64 [B], objects N_b of each image.
    """
    steps = torch.arange(num_steps, device=num_instances.device)
    return torch.where(steps < num_instances[:, None], steps, UNMATCHED)  # [B, T]
