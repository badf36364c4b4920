"""The old package's calls give what BNN-PYNQ gave: its stored answers are the truth."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compat.conftest import Oracle
from PIL import Image

from bnncore import BackendError, BnnError, InputError, ParameterError, UnknownNameError
from bnncore.compat import bnn
from bnncore.compat.oldcalls import OldCallWarning

pytestmark = pytest.mark.filterwarnings("ignore::bnncore.compat.oldcalls.OldCallWarning")

# The scores that the original gave for its deer, by network (its notebooks, on an FPGA).
DEER = {
    "cnvW1A1": [234, 231, 265, 248, 410, 257, 224, 262, 226, 233],
    "cnvW1A2": [-20, -46, -38, -6, 268, 6, -14, -28, -38, -30],
    "cnvW2A2": [-24, -34, -21, -13, 244, 4, -7, -20, -27, -13],
}


def cifar_file(path: Path, images: Any) -> str:
    planes = np.asarray(images).transpose(0, 3, 1, 2).reshape(len(images), -1)
    path.write_bytes(np.insert(planes, 0, 7, axis=1).astype(np.uint8).tobytes())
    return str(path)


def idx3_file(path: Path, images: Any, count: int | None = None) -> str:
    header = np.array([0x803, len(images) if count is None else count, 28, 28], ">u4").tobytes()
    path.write_bytes(header + np.asarray(images).tobytes())
    return str(path)


@pytest.fixture
def cnv(cnv_oracle: Oracle) -> bnn.CnvClassifier:
    return bnn.CnvClassifier(cnv_oracle.network, cnv_oracle.params, bnn.RUNTIME_SW)


@pytest.fixture
def lfc(lfc_oracle: Oracle) -> bnn.LfcClassifier:
    return bnn.LfcClassifier(lfc_oracle.network, lfc_oracle.params, bnn.RUNTIME_SW)


class TestCnvClassifier:
    def test_one_image(self, cnv: bnn.CnvClassifier, cnv_oracle: Oracle) -> None:
        answer = cnv.classify_image(Image.fromarray(cnv_oracle["inputs"][3]))
        assert type(answer) is int
        assert answer == cnv_oracle["pred"][3]

    def test_many_images(self, cnv: bnn.CnvClassifier, cnv_oracle: Oracle) -> None:
        answer = cnv.classify_images([Image.fromarray(image) for image in cnv_oracle["inputs"]])
        assert answer.dtype == np.int32
        assert answer.tolist() == cnv_oracle["pred_multiple"].tolist()

    def test_details_of_one(self, cnv: bnn.CnvClassifier, cnv_oracle: Oracle) -> None:
        image = Image.fromarray(cnv_oracle["inputs"][5])
        for answer in (cnv.classify_image_details(image), cnv.classify_details(image)):
            assert answer.dtype == np.int32
            assert answer.tolist() == cnv_oracle["scores"][5].tolist()

    def test_details_of_many_are_flat(self, cnv: bnn.CnvClassifier, cnv_oracle: Oracle) -> None:
        answer = cnv.classify_images_details([Image.fromarray(image) for image in cnv_oracle["inputs"][:9]])
        assert answer.dtype == np.int32
        assert answer.tolist() == cnv_oracle["scores"][:9].reshape(-1).tolist()

    def test_cifar_files(self, cnv: bnn.CnvClassifier, cnv_oracle: Oracle, tmp_path: Path) -> None:
        path = cifar_file(tmp_path / "all.bin", cnv_oracle["inputs"])
        assert cnv.classify_cifar(path) == cnv_oracle["pred"][0]
        assert cnv.classify_cifars(path).tolist() == cnv_oracle["pred_multiple"].tolist()
        assert cnv.classify_cifar_details(path).tolist() == cnv_oracle["scores"][0].tolist()
        assert cnv.classify_cifars_details(path).tolist() == cnv_oracle["scores"].reshape(-1).tolist()

    def test_paths(self, cnv: bnn.CnvClassifier, cnv_oracle: Oracle, tmp_path: Path) -> None:
        paths = []
        for number, image in enumerate(cnv_oracle["inputs"][:4]):
            paths.append(str(tmp_path / f"{number}.png"))
            Image.fromarray(image).save(paths[-1])
        assert cnv.classify_path(paths[2]) == cnv_oracle["pred"][2]
        assert cnv.classify_paths(paths).tolist() == cnv_oracle["pred_multiple"][:4].tolist()

    def test_prepares_a_photograph_as_the_original_did(
        self, cnv: bnn.CnvClassifier, cnv_oracle: Oracle, test_data: Path
    ) -> None:
        with Image.open(test_data / "bnn-pynq" / "images" / "deer.jpg") as image:
            assert cnv.classify_image_details(image).tolist() == DEER[cnv_oracle.network]
            assert cnv.class_name(cnv.classify_image(image)) == "Deer"

    def test_leaves_the_callers_image_alone(self, cnv: bnn.CnvClassifier) -> None:
        image = Image.effect_mandelbrot((90, 40), (-2, -1, 1, 1), 20)
        before = image.tobytes(), image.size, image.mode
        cnv.classify_image(image)
        assert (image.tobytes(), image.size, image.mode) == before

    def test_attributes(self, cnv: bnn.CnvClassifier, cnv_oracle: Oracle) -> None:
        assert (cnv.net, cnv.params, cnv.runtime) == (
            cnv_oracle.network,
            cnv_oracle.params,
            bnn.RUNTIME_SW,
        )
        assert cnv.classes == cnv_oracle["classes"].tolist()
        assert cnv.bnn.classes == cnv.classes
        assert cnv.usecPerImage == 0.0
        cnv.classify_image(Image.fromarray(cnv_oracle["inputs"][0]))
        assert cnv.usecPerImage == cnv.bnn.usecPerImage > 0


class TestImageToCifar:
    @pytest.fixture
    def classifier(self, binparams: Path) -> bnn.CnvClassifier:
        return bnn.CnvClassifier("cnvW1A1", str(binparams / "cifar10"), bnn.RUNTIME_SW)

    def test_record_is_planes_with_label_1(self, classifier: bnn.CnvClassifier) -> None:
        pixels = np.arange(32 * 32 * 3, dtype=np.uint8).reshape(32, 32, 3)
        file = io.BytesIO(b"before")
        file.seek(0, io.SEEK_END)
        classifier.image_to_cifar(Image.fromarray(pixels), file)
        assert file.getvalue() == b"before\x01" + pixels.transpose(2, 0, 1).tobytes()

    def test_small_images_stay_small_on_white(self, classifier: bnn.CnvClassifier) -> None:
        file = io.BytesIO()
        classifier.image_to_cifar(Image.new("RGB", (3, 5), (10, 20, 30)), file)
        red = np.frombuffer(file.getvalue(), np.uint8)[1:1025].reshape(32, 32)
        assert (red[13:18, 14:17] == 10).all()
        assert (red == 10).sum() == 15
        assert (red == 255).sum() == 1024 - 15

    def test_transparent_pixels_keep_their_colour(self, classifier: bnn.CnvClassifier) -> None:
        file = io.BytesIO()
        classifier.image_to_cifar(Image.new("RGBA", (32, 32), (9, 8, 7, 0)), file)
        assert file.getvalue() == b"\x01" + b"\x09" * 1024 + b"\x08" * 1024 + b"\x07" * 1024

    def test_orientation_of_a_photograph_is_not_applied(self, classifier: bnn.CnvClassifier) -> None:
        image = Image.new("RGB", (32, 16), (0, 0, 0))
        photograph = io.BytesIO()
        exif = Image.Exif()
        exif[0x0112] = 6
        image.save(photograph, "PNG", exif=exif)
        file = io.BytesIO()
        classifier.image_to_cifar(Image.open(photograph), file)
        red = np.frombuffer(file.getvalue(), np.uint8)[1:1025].reshape(32, 32)
        assert (red[8:24] == 0).all()
        assert (red[:8] == 255).all()


class TestLfcClassifier:
    def test_one_image(self, lfc: bnn.LfcClassifier, lfc_oracle: Oracle, tmp_path: Path) -> None:
        for number in range(10):
            path = idx3_file(tmp_path / f"{number}.idx3", lfc_oracle["inputs"][number : number + 2])
            answer = lfc.classify_mnist(path)
            assert type(answer) is int
            assert answer == lfc_oracle["pred_single"][number]

    def test_many_images(self, lfc: bnn.LfcClassifier, lfc_oracle: Oracle, tmp_path: Path) -> None:
        answer = lfc.classify_mnists(idx3_file(tmp_path / "all.idx3", lfc_oracle["inputs"]))
        assert answer.dtype == np.int32
        assert answer.tolist() == lfc_oracle["pred"].tolist()

    def test_details_are_one_at_the_class(
        self, lfc: bnn.LfcClassifier, lfc_oracle: Oracle, tmp_path: Path
    ) -> None:
        answer = lfc.bnn.detailed_inference(idx3_file(tmp_path / "one.idx3", lfc_oracle["inputs"][:1]))
        assert answer.dtype == np.int32
        assert answer.tolist() == lfc_oracle["details_single"][0][: len(lfc.classes)].tolist()

    def test_details_of_many_are_the_classes(
        self, lfc: bnn.LfcClassifier, lfc_oracle: Oracle, tmp_path: Path
    ) -> None:
        path = idx3_file(tmp_path / "all.idx3", lfc_oracle["inputs"])
        assert lfc.bnn.inference_multiple_detail(path).tolist() == lfc_oracle["pred"].tolist()

    def test_the_originals_own_test_image(self, binparams: Path, test_data: Path) -> None:
        classifier = bnn.LfcClassifier(bnn.NETWORK_LFCW1A1, str(binparams / "mnist"), bnn.RUNTIME_SW)
        path = str(test_data / "bnn-pynq" / "images" / "3.image-idx3-ubyte")
        assert classifier.class_name(classifier.classify_mnist(path)) == "3"


class TestFirstVersion:
    def test_parameters_alone(self, binparams: Path) -> None:
        classifier = bnn.CnvClassifier(str(binparams / "cifar10" / "cnvW1A1"), bnn.RUNTIME_SW)
        assert classifier.net == bnn.NETWORK_CNV
        assert classifier.classes[4] == "Deer"

    def test_by_keywords(self, binparams: Path) -> None:
        path = str(binparams / "mnist" / "lfcW1A1")
        assert bnn.LfcClassifier(params=path, runtime=bnn.RUNTIME_SW).classes == list("0123456789")

    def test_hardware_is_the_default(self, binparams: Path) -> None:
        with pytest.raises(BackendError, match=r"python_hw.*RUNTIME_SW"):
            bnn.CnvClassifier(str(binparams / "cifar10" / "cnvW1A1"))

    @pytest.mark.usefixtures("shapes")
    def test_flat_folder(self, binparams: Path, tmp_path: Path) -> None:
        folder = tmp_path / "params" / "mine"
        folder.parent.mkdir()
        folder.symlink_to(binparams / "cifar10" / "cnvW1A1")
        assert bnn.available_params(bnn.NETWORK_CNV) == ["mine", "shapes"]
        assert bnn.available_params(bnn.NETWORK_LFC) == ["letters"]
        assert bnn.available_params(bnn.NETWORK_CNVW2A2) == []
        assert bnn.CnvClassifier("mine", bnn.RUNTIME_SW).classes[4] == "Deer"


class TestPynqBNN:
    def test_by_absolute_path(self, cnv_oracle: Oracle, tmp_path: Path) -> None:
        network = bnn.PynqBNN(bnn.RUNTIME_SW, cnv_oracle.network)
        network.load_parameters(cnv_oracle.params)
        path = cifar_file(tmp_path / "all.bin", cnv_oracle["inputs"])
        assert network.inference(path) == cnv_oracle["pred"][0]
        assert network.inference_multiple(path).tolist() == cnv_oracle["pred_multiple"].tolist()
        assert network.detailed_inference(path).tolist() == cnv_oracle["scores"][0].tolist()
        assert network.class_name(-1) == "Truck"
        assert network.num_classes == 0
        assert network.bitstream_name is None

    def test_by_path_in_the_parameter_folder(self, binparams: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bnn, "BNN_PARAM_DIR", str(binparams))
        network = bnn.PynqBNN(bnn.RUNTIME_SW, bnn.NETWORK_CNVW1A1, load_overlay=False)
        network.load_parameters("cifar10/cnvW1A1")
        assert network.classes[0] == "Airplane"

    def test_two_with_different_parameters_do_not_disturb_each_other(
        self, binparams: Path, test_data: Path, tmp_path: Path
    ) -> None:
        deer = str(test_data / "bnn-pynq" / "images" / "deer.bin")
        first = bnn.PynqBNN(bnn.RUNTIME_SW, "cnvW1A1")
        first.load_parameters(str(binparams / "cifar10" / "cnvW1A1"))
        before = first.detailed_inference(deer).tolist()
        other = tmp_path / "zeros"
        other.mkdir()
        for file in (binparams / "cifar10" / "cnvW1A1").iterdir():
            zeros = b"\0" * file.stat().st_size
            (other / file.name).write_bytes(file.read_bytes() if file.suffix == ".txt" else zeros)
        second = bnn.PynqBNN(bnn.RUNTIME_SW, "cnvW1A1")
        second.load_parameters(str(other))
        assert second.detailed_inference(deer).tolist() != before
        assert first.detailed_inference(deer).tolist() == before

    def test_without_parameters(self, test_data: Path) -> None:
        with pytest.raises(InputError, match="load_parameters"):
            bnn.PynqBNN(bnn.RUNTIME_SW).inference(str(test_data / "bnn-pynq" / "images" / "deer.bin"))


class TestNoneOfItsCrashes:
    @pytest.fixture
    def cifar10(self, binparams: Path) -> bnn.CnvClassifier:
        return bnn.CnvClassifier("cnvW1A1", str(binparams / "cifar10"), bnn.RUNTIME_SW)

    @pytest.fixture
    def mnist(self, binparams: Path) -> bnn.LfcClassifier:
        return bnn.LfcClassifier("lfcW1A1", str(binparams / "mnist"), bnn.RUNTIME_SW)

    def test_no_images(self, cifar10: bnn.CnvClassifier) -> None:
        assert cifar10.classify_images([]).tolist() == []
        assert cifar10.classify_images_details([]).tolist() == []

    @pytest.mark.parametrize("content", [b"", b"\0" * 3072])
    def test_no_whole_record(self, cifar10: bnn.CnvClassifier, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "x.bin").write_bytes(content)
        with pytest.raises(InputError, match="3073"):
            cifar10.classify_cifar(str(tmp_path / "x.bin"))

    def test_incomplete_last_record_is_ignored(self, cifar10: bnn.CnvClassifier, tmp_path: Path) -> None:
        (tmp_path / "x.bin").write_bytes(b"\0" * (3073 * 2 + 5))
        assert len(cifar10.classify_cifars(str(tmp_path / "x.bin"))) == 2

    def test_missing_file(self, cifar10: bnn.CnvClassifier, mnist: bnn.LfcClassifier, tmp_path: Path) -> None:
        for call in (cifar10.classify_cifars, cifar10.classify_path, mnist.classify_mnist):
            with pytest.raises(InputError, match="missing"):
                call(str(tmp_path / "missing"))

    @pytest.mark.parametrize(
        ("header", "message"),
        [
            ((0x801, 1, 28, 28), "magic"),
            ((0x803, 0, 28, 28), "at least one"),
            ((0x803, 1, 29, 28), "28 by 28"),
            ((0x803, 2**32 - 1, 28, 28), "damaged"),
        ],
    )
    def test_bad_idx_header(
        self, mnist: bnn.LfcClassifier, tmp_path: Path, header: tuple[int, ...], message: str
    ) -> None:
        (tmp_path / "x").write_bytes(np.array(header, ">u4").tobytes() + b"\0" * 900)
        with pytest.raises(InputError, match=message):
            mnist.classify_mnists(str(tmp_path / "x"))

    def test_short_idx_file_ends_in_blank_images(
        self, mnist: bnn.LfcClassifier, test_data: Path, tmp_path: Path
    ) -> None:
        three = (test_data / "bnn-pynq" / "images" / "3.image-idx3-ubyte").read_bytes()[16:]
        blank = idx3_file(tmp_path / "blank", np.zeros((1, 28, 28), np.uint8))
        path = idx3_file(tmp_path / "short", np.frombuffer(three, np.uint8), count=3)
        with pytest.warns(UserWarning, match="promises 3 images, but it holds 1"):
            answer = mnist.classify_mnists(path).tolist()
        assert answer == [3, *[mnist.classify_mnists(blank)[0]] * 2]

    @pytest.mark.usefixtures("shapes")
    def test_unknown_parameters(self) -> None:
        with pytest.raises(UnknownNameError, match=r"no parameters 'nonsense' for cnvW1A1: there are shapes"):
            bnn.CnvClassifier(bnn.NETWORK_CNVW1A1, "nonsense", bnn.RUNTIME_SW)

    def test_missing_folder(self, tmp_path: Path) -> None:
        with pytest.raises(ParameterError, match="found neither"):
            bnn.PynqBNN(bnn.RUNTIME_SW, "cnvW1A1").load_parameters(str(tmp_path / "nothing"))

    def test_unknown_network_and_runtime(self) -> None:
        assert bnn.available_params("resnet50") == []
        with pytest.raises(BnnError, match="resnet50"):
            bnn.PynqBNN(bnn.RUNTIME_SW, "resnet50")
        with pytest.raises(BackendError, match="python_gpu"):
            bnn.PynqBNN("python_gpu", "cnvW1A1")

    def test_the_other_kind_of_network(self, binparams: Path) -> None:
        with pytest.raises(InputError, match="LfcClassifier cannot run cnvW1A1"):
            bnn.LfcClassifier("cnvW1A1", str(binparams / "cifar10"), bnn.RUNTIME_SW)

    def test_nameless_class_stays(self, binparams: Path, tmp_path: Path) -> None:
        source = binparams / "cifar10" / "cnvW1A1"
        for file in source.iterdir():
            (tmp_path / file.name).symlink_to(file)
        (tmp_path / "classes.txt").unlink()
        (tmp_path / "classes.txt").write_text("1\n2\n2\n\n")
        classifier = bnn.CnvClassifier("cnvW1A1", str(tmp_path), bnn.RUNTIME_SW)
        assert classifier.classes == ["1", "2", "2", ""]
        assert len(classifier.classify_image_details(Image.new("RGB", (32, 32)))) == 4


@pytest.mark.usefixtures("shapes")
class TestNames:
    def test_installed_datasets_are_available(self) -> None:
        assert bnn.available_params(bnn.NETWORK_CNVW1A1) == ["shapes"]
        assert bnn.CnvClassifier(bnn.NETWORK_CNVW1A1, "shapes", bnn.RUNTIME_SW).classes == ["Circle", "Square"]

    def test_the_kind_of_network_in_a_name_may_be_left_out(self) -> None:
        assert bnn.available_params(bnn.NETWORK_LFCW1A1) == ["letters"]
        assert bnn.LfcClassifier(bnn.NETWORK_LFCW1A1, "letters", bnn.RUNTIME_SW).params == "letters"

    def test_parameter_folder_goes_before_installed_datasets(
        self, binparams: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        folder = tmp_path / "params"
        (folder / "shapes").mkdir(parents=True)
        (folder / "shapes" / "cnvW1A1").symlink_to(binparams / "cifar10" / "cnvW1A1")
        assert bnn.available_params(bnn.NETWORK_CNVW1A1) == ["shapes"]
        assert bnn.CnvClassifier(bnn.NETWORK_CNVW1A1, "shapes", bnn.RUNTIME_SW).classes[4] == "Deer"


class TestPrints:
    def test_only_where_asked(
        self, binparams: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        classifier = bnn.CnvClassifier("cnvW1A1", str(binparams / "cifar10"), bnn.RUNTIME_SW)
        classifier.classify_image(Image.new("RGB", (32, 32)))
        assert capsys.readouterr().out == ""
        monkeypatch.setattr(bnn, "verbose", True)
        classifier.classify_image(Image.new("RGB", (32, 32)))
        assert "images per second" in capsys.readouterr().out


@pytest.mark.filterwarnings("always::bnncore.compat.oldcalls.OldCallWarning")
class TestWarnings:
    def test_each_old_call_warns_once_with_the_new_one(self, binparams: Path) -> None:
        image = Image.new("RGB", (32, 32))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            classifier = bnn.CnvClassifier("cnvW1A1", str(binparams / "cifar10"), bnn.RUNTIME_SW)
            classifier.classify_image(image)
            classifier.classify_image(image)
            classifier.classify_images([image])
        told = [str(each.message) for each in caught if each.category is OldCallWarning]
        assert len(told) == 3
        assert 'bnncore.load("' in told[0]
        assert "classifier.classify(image).index" in told[1]
        assert {each.filename for each in caught} == {__file__}

    @pytest.mark.usefixtures("shapes")
    def test_installed_dataset_is_named(self) -> None:
        with pytest.warns(OldCallWarning, match=r'bnncore.get\("shapes", topology="cnvW1A1", backend="cpu"\)'):
            bnn.CnvClassifier(bnn.NETWORK_CNVW1A1, "shapes", bnn.RUNTIME_SW)
