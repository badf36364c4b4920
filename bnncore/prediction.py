"""The answer to one picture."""

from __future__ import annotations

from collections import Counter
from operator import index
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex, overload

from attrs import define, frozen
from bnnhw import outputs
from bnnhw.topology import Output

from bnncore.errors import InputError
from bnncore.spelling import wrong_type

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Origin", "Prediction", "Predictions", "Ranked"]

# Pictures on a contact sheet: a page of thousands would be megabytes of text.
_SHOWN = 60


class Ranked(NamedTuple):
    """One class of a ranking: its name and its score."""

    label: str
    score: int


@frozen(kw_only=True, eq=False)
class Origin:
    """What all answers of one classifier have in common.

    Attributes:
        classes: names of all classes, in the order of the network's outputs.
        output: ``"scores"`` or ``"bits"``, as in the topology.
        spread: standard deviation that a score would have with random weights; 0 for bits.
        backend: what computes them.
    """

    classes: tuple[str, ...]
    output: Output
    spread: float
    backend: str


# What changes from one answer to the next, by position, and no frozen record: to set an attribute of such a one takes
# 60 nanoseconds, and a small network answers in 5,000.
@define(eq=False, repr=False)
class Prediction:
    """The class of one picture, with all that led to it. Read-only."""

    _index: int
    # An int32 array of all outputs; those of the classes are the first.
    _outputs: bytes
    _origin: Origin
    _seconds: float
    _seen: npt.NDArray[np.uint8] | None = None

    @property
    def index(self) -> int:
        """Of the class among the network's outputs."""
        return self._index

    @property
    def seconds(self) -> float:
        """Wall-clock time from the given picture to the answer; in a batch, the mean."""
        return self._seconds

    @property
    def seen(self) -> npt.NDArray[np.uint8] | None:
        """The picture as it went into the network, uint8 [*input shape].

        Where it was given in that shape, the caller's own array. None if it was not kept.
        """
        return self._seen

    @property
    def label(self) -> str:
        """Name of the class."""
        return self._origin.classes[self._index]

    @property
    def scores(self) -> npt.NDArray[np.int32]:
        """Return int32 [classes], read-only: popcounts or signed sums, or 0 and 1 where a class has one bit.

        Not probabilities.
        """
        import numpy as np

        return np.frombuffer(self._outputs, np.int32, len(self._origin.classes))

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of all classes."""
        return self._origin.classes

    @property
    def output(self) -> Output:
        """What the scores are: ``"scores"`` or ``"bits"``, as in the topology."""
        return self._origin.output

    @property
    def spread(self) -> float:
        """Standard deviation that a score would have with random weights; 0 for bits."""
        return self._origin.spread

    @property
    def backend(self) -> str:
        """Name of what computed it."""
        return self._origin.backend

    def __repr__(self) -> str:
        return (
            f"Prediction(index={self.index}, label={self.label!r}, backend={self.backend!r}, "
            f"seconds={self.seconds})"
        )

    def top(self, count: int = 5) -> list[Ranked]:
        """Return the best classes, best first; ties go as the network's rule says.

        Scores: the higher first, of equals the lower index. Bits: the higher bit first, as
        BNN-PYNQ ranks them; if none is set, the lower.

        Raises:
            InputError: if the count is no whole number.
        """
        try:
            wanted = max(index(count), 0)
        except TypeError:
            raise InputError(wrong_type("count", "a whole number", count)) from None
        scores = self.scores
        order = outputs.ranking(self.output, scores)[:wanted]
        return [Ranked(self.classes[i], int(scores[i])) for i in order]

    @property
    def note(self) -> str | None:
        """What to know before trusting the answer, or None.

        Networks with one bit a class may answer with no bit (then the first class is given, as
        BNN-PYNQ does) or with several (then the highest wins).
        """
        fired = outputs.responding(self.output, self.scores)
        if fired is None or len(fired) == 1:
            return None
        if not fired:
            return "no class responded"
        return f"several classes responded: {', '.join(self.classes[i] for i in fired)}"

    @property
    def confidence(self) -> float:
        """A number from 0 to 1 for a bar to show; not calibrated, and no probability.

        Scores: the softmax of the scores in units of ``spread``. Bits: one over the number of bits set.
        """
        return self.confidences()[self.index]

    def confidences(self) -> list[float]:
        """Return the same number for every class, in the order of ``classes``."""
        return outputs.shares(self.output, self.scores, self.spread)

    def _repr_html_(self) -> str:
        """Return what Jupyter shows; a terminal shows ``repr``."""
        from bnncore import html

        shares = dict(zip(self.classes, self.confidences()))
        return html.answer(
            self.seen,
            self.label,
            [(label, shares[label], score) for label, score in self.top()],
            f"{self.backend}, {html.time_text(self.seconds)}",
            self.note,
        )


class Predictions(list[Prediction]):
    """The answers to a batch, in order: a list that Jupyter shows as a contact sheet."""

    @overload
    def __getitem__(self, index: SupportsIndex) -> Prediction: ...

    @overload
    def __getitem__(self, index: slice) -> Predictions: ...

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return Predictions(found) if isinstance(index, slice) else found

    def _repr_html_(self) -> str:
        """Return what Jupyter shows; a terminal shows ``repr``."""
        from bnncore import html

        if not self:
            return "<i>no pictures</i>"
        counts = Counter(each.label for each in self)
        backends = ", ".join(dict.fromkeys(each.backend for each in self))
        mean = sum(each.seconds for each in self) / len(self)
        return html.sheet(
            f"{len(self)} pictures",
            ", ".join(f"{label} {count}" for label, count in counts.most_common()),
            f"{backends}, {html.time_text(mean)} a picture",
            [(each.seen, each.label, each.confidence) for each in self[:_SHOWN]],
            max(0, len(self) - _SHOWN),
        )
