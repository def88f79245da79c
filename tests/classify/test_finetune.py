import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from conftest import STILL, lobes
from skylobe.classify.finetune import finetune, finetune_many
from skylobe.core.errors import CheckpointError, ConfigError, DataError
from skylobe.learning.labels import class_weights, split
from skylobe.learning.network import build_network, frozen_blocks, parameter_groups
from skylobe.learning.schedule import learning_rate
from skylobe.learning.settings import ViewConfig
from skylobe.learning.tuning import Loop, cache_maps, view_config
from skylobe.learning.tuning_settings import FinetuneConfig
from skylobe.models.embed import features
from skylobe.models.encoder import build_encoder
from skylobe.models.model import Model
from skylobe.models.prepare import dihedral_views, prepare
from skylobe.models.settings import EncoderConfig, Preprocessing

CONFIG = FinetuneConfig(epochs=3, batch_size=16, lr=0.01, views=STILL, accelerator="cpu")


def predict_logits(classifier, image_set):
    return classifier.logits(classifier.vectors(image_set))


@pytest.fixture
def model() -> Model:
    grid = Preprocessing(crop_pix=32, pixel_scale=1.8 * 70 / 32, mean=0.02, std=0.1)
    return Model("toy", build_encoder(EncoderConfig(stem="fast", width=8)).eval(), grid)


@pytest.mark.parametrize("n_blocks", [0, 1, 4, 9, None])
def test_each_tuned_parameter_is_in_one_group_and_the_rates_stand_in_the_ratio(model, n_blocks):
    config = replace(CONFIG, n_blocks=n_blocks, layer_decay=0.75)
    network = build_network(model, 2, config)
    groups = parameter_groups(network, dict(network.named_parameters()), config)
    grouped = [id(one) for group in groups for one in group["params"]]
    wanted = {id(one) for one in network.parameters() if one.requires_grad}
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == wanted
    assert len(groups) == 1 + (9 if n_blocks is None else n_blocks)
    loop = Loop([network], [lobes(20)], model.preprocessing, [config])
    for _ in range(3):
        loop.train_step()
    rates = [group["lr"] for group in loop.optimiser.param_groups]
    assert rates[0] == pytest.approx(learning_rate(2, loop.plan))
    for depth, rate in enumerate(rates[1:]):
        assert rate == pytest.approx(rates[0] * 0.75**depth)


def test_the_baseline_has_no_layer_decay_and_nothing_frozen(model):
    config = replace(CONFIG, init="random")
    network = build_network(model, 2, config)
    groups = parameter_groups(network, dict(network.named_parameters()), config)
    assert {group["scale"] for group in groups} == {1.0}
    assert all(one.requires_grad for one in network.parameters())
    other = build_network(model, 2, replace(config, seed=1))
    assert not torch.equal(other.encoder.conv1.weight, network.encoder.conv1.weight)


@pytest.mark.parametrize("n_blocks", [0, 2])
def test_frozen_is_frozen_to_the_bit_batch_statistics_too(model, n_blocks):
    before = copy.deepcopy(model.encoder.state_dict())
    config = replace(CONFIG, n_blocks=n_blocks)
    tuned = finetune(model, lobes(40), config)
    assert all(torch.equal(model.encoder.state_dict()[k], v) for k, v in before.items())
    network = build_network(model, 2, config)
    assert len(frozen_blocks(network, config)) == 9 - n_blocks
    pairs = zip(network.encoder.blocks, tuned.model.encoder.blocks, strict=True)
    for number, (block, trained) in enumerate(pairs):
        states = zip(block.state_dict().values(), trained.state_dict().values(), strict=True)
        assert all(torch.equal(one, other) for one, other in states) == (number < 9 - n_blocks)


def test_a_separable_toy_reaches_zero_loss_and_shuffled_labels_give_chance(model):
    train, test = lobes(60, seed=1), lobes(200, seed=2)
    config = replace(CONFIG, epochs=60, lr=0.03)
    network = build_network(model, 2, config)
    loop = Loop([network], [train], model.preprocessing, [config])
    while loop.step < loop.plan.n_steps:
        loss = loop.train_step()
    assert float(loss) < 0.01
    tuned = finetune(model, train, config)
    assert np.mean(predict_logits(tuned, test).argmax(1) == test.labels) > 0.97
    shuffled = replace(train, labels=np.random.default_rng(0).permutation(train.labels))
    right = predict_logits(finetune(model, shuffled, config), test).argmax(1) == test.labels
    assert 0.3 < np.mean(right) < 0.7


@pytest.mark.parametrize(("n_blocks", "cached"), [(0, False), (2, False), (2, True), (None, False)])
def test_trainings_run_as_one_take_the_steps_they_would_take_alone(model, n_blocks, cached):
    config = replace(
        CONFIG,
        n_blocks=n_blocks,
        cached=cached,
        optimiser="sgd",
        views=ViewConfig(),
        precision="fp32",
    )
    configs = [replace(config, seed=seed) for seed in (3, 4)]
    sets = [lobes(30, seed=5), lobes(30, seed=6)]

    def loop_of(which: list[int]) -> Loop:
        networks = [build_network(model, 2, configs[one]) for one in which]
        chosen = [configs[one] for one in which]
        return Loop(networks, [sets[one] for one in which], model.preprocessing, chosen)

    together, alone = loop_of([0, 1]), [loop_of([0]), loop_of([1])]
    for tolerance in (1e-5, 1e-4, 1e-3):  # batch norm makes rounding grow from step to step
        expected = torch.cat([one.train_step() for one in alone])
        torch.testing.assert_close(together.train_step(), expected, rtol=tolerance, atol=tolerance)
    together.write_back()
    for network, one in zip(together.networks, alone, strict=True):
        state = one.networks[0].state_dict()
        for name, value in network.state_dict().items():
            if "num_batches" not in name:
                torch.testing.assert_close(value, state[name], rtol=1e-2, atol=1e-3)


def test_each_training_of_several_keeps_its_own_seed(model):
    configs = [replace(CONFIG, seed=seed, n_blocks=1) for seed in (3, 4)]
    one, other = finetune_many(model, [lobes(20), lobes(20)], configs)
    assert one.provenance["config"]["seed"] == 3
    assert not np.allclose(predict_logits(one, lobes(20)), predict_logits(other, lobes(20)))


def test_trainings_of_unlike_settings_do_not_run_as_one(model):
    with pytest.raises(DataError, match="one by one"):
        finetune_many(model, [lobes(20)] * 2, [CONFIG, replace(CONFIG, lr=0.5)])
    patient = replace(CONFIG, validation_share=0.2, patience=2)
    with pytest.raises(DataError, match="no patience"):
        finetune_many(model, [lobes(20)] * 2, [patient, replace(patient, seed=1)])


def test_a_stopped_training_goes_on_as_if_it_had_not_been(model, tmp_path):
    train = lobes(40)
    config = replace(CONFIG, views=ViewConfig(), n_blocks=3)
    finetune(model, train, config, folder=tmp_path, stop_after=4)
    resumed = finetune(model, train, config, folder=tmp_path)
    straight = finetune(model, train, config)
    assert np.array_equal(predict_logits(resumed, train), predict_logits(straight, train))
    with pytest.raises(CheckpointError, match="new folder"):
        finetune(model, train, replace(config, lr=0.5), folder=tmp_path)
    (tmp_path / "finetuning.pt").write_bytes(b"nonsense")
    with pytest.raises(CheckpointError, match="delete the file"):
        finetune(model, train, config, folder=tmp_path)


def test_early_stopping_keeps_the_best_weights_and_the_validation_rows_apart(model):
    config = replace(CONFIG, epochs=40, validation_share=0.25, patience=2)
    tuned = finetune(model, lobes(80), config)
    held_out = split(lobes(80), config)
    assert 15 <= tuned.provenance["held_out"] == len(held_out.held_out) <= 25
    assert set(held_out.validation.labels) == {0, 1}
    assert len(tuned.reference) == 80 - len(held_out.held_out)


def test_early_stopping_judges_whole_images_when_frozen_blocks_are_cached(model):
    config = replace(
        CONFIG, n_blocks=2, cached=True, epochs=40, lr=0.03, validation_share=0.25, patience=5
    )
    tuned = finetune(model, lobes(80), config)
    test = lobes(60, seed=4)
    assert np.mean(predict_logits(tuned, test).argmax(1) == test.labels) > 0.9


def test_a_stopped_training_remembers_its_best_weights(model, tmp_path):
    config = replace(CONFIG, epochs=12, validation_share=0.25, patience=2, views=ViewConfig())
    finetune(model, lobes(80), config, folder=tmp_path, stop_after=20)
    resumed = finetune(model, lobes(80), config, folder=tmp_path)
    straight = finetune(model, lobes(80), config)
    assert np.array_equal(predict_logits(resumed, lobes(80)), predict_logits(straight, lobes(80)))
    other = replace(lobes(80), labels=1 - lobes(80).labels)
    with pytest.raises(CheckpointError, match="differs in labels"):
        finetune(model, other, config, folder=tmp_path)
    other = replace(lobes(80), images=lobes(80).images.flip(2))
    with pytest.raises(CheckpointError, match="differs in images;"):
        finetune(model, other, config, folder=tmp_path)


def test_balanced_weights_make_classes_weigh_the_same():
    labels = np.array([0] * 30 + [1] * 10)
    weights = class_weights(labels, lobes(4), replace(CONFIG, class_weights="balanced"))
    assert (weights * torch.tensor([30.0, 10.0])).tolist() == [20.0, 20.0]


def test_views_cover_the_angle_that_the_encoder_sees(model):
    views = view_config(ViewConfig(), model.preprocessing)
    assert (views.crop_pix, views.width_pix) == (70, 32)
    assert view_config(ViewConfig(), Preprocessing()).width_pix is None


@pytest.mark.parametrize("cached", [False, True])
def test_a_classifier_of_eight_views_is_tuned_on_the_angles_it_will_look_through(model, cached):
    spans = (0.7, 1.0, 1.5, 2.0)
    seen = replace(model, preprocessing=replace(model.preprocessing, spans=spans))
    config = replace(CONFIG, n_views=8, cached=cached, n_blocks=1)
    loop = Loop([build_network(seen, 2, config)], [lobes(8)], seen.preprocessing, [config])
    assert [one.crop_pix for one in loop.views] == [49, 70, 105, 140]
    assert len({(one.width_pix) for one in loop.views}) == 1
    assert torch.isfinite(torch.stack([loop.train_step() for _ in spans])).all()


@pytest.mark.parametrize("n_blocks", [0, 1, 3])
def test_cached_maps_go_on_to_the_features_of_each_dihedral_view(model, n_blocks):
    config = replace(CONFIG, n_blocks=n_blocks, cached=True, precision="fp32")
    network = build_network(model, 2, config).eval()
    images = prepare(lobes(6).images, model.preprocessing, pixel_scale=1.8)
    maps = cache_maps(network, images)
    with torch.inference_mode():
        for number, view in enumerate(dihedral_views(images)):
            expected = network.head(features(model.encoder, view))
            torch.testing.assert_close(network(maps[:, number]), expected, rtol=1e-4, atol=1e-5)


def test_tuning_on_cached_maps_learns_and_leaves_the_frozen_blocks_alone(model):
    config = replace(CONFIG, n_blocks=2, cached=True, epochs=40, lr=0.03)
    tuned = finetune(model, lobes(60, seed=1), config)
    test = lobes(100, seed=2)
    assert np.mean(predict_logits(tuned, test).argmax(1) == test.labels) > 0.95
    pairs = zip(model.encoder.blocks[:7], tuned.model.encoder.blocks[:7], strict=True)
    for block, trained in pairs:
        states = zip(block.state_dict().values(), trained.state_dict().values(), strict=True)
        assert all(torch.equal(one, other) for one, other in states)


def test_images_of_another_scale_are_trained_on_the_same_sky(model):
    fine = lobes(30)
    coarse = replace(fine, images=fine.images[:, :, ::2, ::2], pixel_scale=3.6)
    tuned = finetune(model, coarse, replace(CONFIG, epochs=20))
    assert np.mean(predict_logits(tuned, coarse).argmax(1) == coarse.labels) > 0.9


def test_more_classes_than_two_and_a_hidden_layer(model):
    three = replace(
        lobes(36), labels=np.arange(36, dtype=np.int64) % 3, class_names=("a", "b", "c")
    )
    tuned = finetune(model, three, replace(CONFIG, head="mlp", label_smoothing=0.1, n_views=8))
    assert predict_logits(tuned, three).shape == (36, 3)


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        ([0] * 8, ("one", "two"), "two classes or more"),
        ([-1] * 7 + [0], ("one", "two"), "1 labels for 2 classes"),
        ([0, 1] * 4, ("one", "two", "three"), "no source is labelled 'three'"),
    ],
)
def test_labels_that_teach_nothing_are_refused(model, labels, names, message):
    image_set = replace(lobes(8), labels=np.array(labels), class_names=names)
    with pytest.raises(DataError, match=message):
        finetune(model, image_set, CONFIG)
    with pytest.raises(DataError, match="no labels"):
        finetune(model, replace(image_set, labels=None), CONFIG)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_blocks": -1}, "0 or more"),
        ({"layer_decay": 0.0}, "layer_decay"),
        ({"validation_share": 1.0}, "below 1"),
        ({"patience": 3}, "validation_share"),
        ({"init": "random", "n_blocks": 2}, "frozen"),
        ({"cached": True}, "give n_blocks"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(wrong, message):
    with pytest.raises(ConfigError, match=message):
        FinetuneConfig(**wrong)


def test_more_blocks_than_there_are_is_refused(model):
    with pytest.raises(DataError, match="the encoder has 9"):
        finetune(model, lobes(20), replace(CONFIG, n_blocks=12))
