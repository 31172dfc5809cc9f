"""The assignment of objects to decoder steps."""

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

UNMATCHED = -1


def hungarian_match(costs: torch.Tensor, num_instances: torch.Tensor) -> torch.Tensor:
    """Assign objects to decoder steps at the least total cost (paper, section 3.3).

    Only an image's first min(T, N_b) steps take part, as in the released code; later steps get no object. With
    more objects than steps, the objects that would cost more are left out.

    Args:
        costs: float [B, T, N], cost of assigning object n to step t; entries beyond an image's min(T, N_b) steps
            and N_b objects are ignored. NaN counts as the highest cost: a loss that is NaN is then reported as
            such, and not as an error of the assignment.
        num_instances: int64 [B], number of objects N_b of each image.

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
    """Assign object t to step t, in the given order of the objects.

    Args:
        num_steps: T.
        num_instances: int64 [B], number of objects N_b of each image.

    Returns:
        int64 [B, T], as `hungarian_match`.
    """
    steps = torch.arange(num_steps, device=num_instances.device)
    return torch.where(steps < num_instances[:, None], steps, UNMATCHED)  # [B, T]
