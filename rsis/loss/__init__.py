"""The training objective: soft IoU, matching, and the criterion over both."""
