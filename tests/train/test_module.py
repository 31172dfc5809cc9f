"""How the training module uses its section of params.yaml."""

import pytest
from pydantic import ValidationError

from rsis.config.runs import ModelSection, ObjectiveSection, TrainSection
from rsis.loss.criterion import Criterion
from rsis.model.network import RSISNetwork
from rsis.train.module import TrainingModule

OBJECTIVE = {"mask_weight": 2.0, "class_weight": 0.3, "stop_weight": 0.7, "stop_balance": 0.4, "box_weight": 0.6}


def test_every_weight_of_the_objective_reaches_the_criterion() -> None:
    network = RSISNetwork(ModelSection(backbone="resnet18", hidden_widths=(8, 4)), num_classes=2)
    train = TrainSection(epochs=1, batch_size=2, num_steps=2, lr=1e-3, lr_encoder=0.0, objective=OBJECTIVE)
    assert TrainingModule(network, train).criterion == Criterion(**OBJECTIVE)


def test_the_mask_term_cannot_be_turned_off() -> None:
    with pytest.raises(ValidationError, match="greater than 0"):
        ObjectiveSection(mask_weight=0)
