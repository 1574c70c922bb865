from __future__ import annotations

import pytest
import torch

from finetune.router_steps import Plan, WeightAverage, stalled


def test_the_rate_rises_and_falls_to_zero_over_the_plan() -> None:
    plan = Plan(epochs=4, steps=25, warmup=0.1, budget_s=60)
    assert plan.rate(0) == pytest.approx(0.1)
    assert plan.rate(9) > plan.rate(50) > plan.rate(99) > plan.rate(100) == 0


def test_a_slow_machine_trains_fewer_epochs_and_still_ends_at_rate_zero() -> None:
    plan = Plan(epochs=6, steps=10, warmup=0.1, budget_s=100)
    assert not plan.shorten([])
    assert plan.shorten([30])
    assert plan.epochs == 3
    assert plan.rate(30) == 0
    assert not plan.shorten([30, 30])
    assert plan.shorten([30, 200])
    assert plan.epochs == 2


def test_averaged_weights_are_applied_for_a_while_only() -> None:
    network = torch.nn.Linear(1, 1, bias=False)
    network.weight.data.fill_(0.0)
    average = WeightAverage(network, decay=0.9)
    network.weight.data.fill_(1.0)
    average.update()
    with average.applied():
        assert 0 < network.weight.item() < 1
    assert network.weight.item() == 1.0


def test_training_stops_when_the_last_epochs_brought_nothing() -> None:
    scores = [{"score": s} for s in (0.1, 0.5, 0.4, 0.5)]
    assert not stalled(scores, 3)
    assert stalled(scores, 2)
