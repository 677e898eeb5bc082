"""Predictions that wait for their label, and labels that are counted exactly once.

::

    remember() -> queue -> thread -> predictions          label() -> predictions.y_true
                  (never blocks)                                     + totals, in one commit
    snapshot() <- totals, hours, waiting                  (then, and not before, 'counted')

How a label is counted once
---------------------------
*The count is in the store, not in the process.* One transaction locks the prediction's row,
finds it without a label, sets the label and adds to the totals; ``counted`` is answered after
its commit. There is no moment between 'the label is on disk' and 'the counter has risen' in
which ``kill -9`` could strike: before the commit neither has happened, after it both have. The
answer may be lost on its way; whoever then sends the label again is told ``duplicate``. A
counter in memory could not do this: raised after the commit it loses what the crash hits,
raised before it counts twice.

How Prometheus sees it
----------------------
*Everybody exports the same number*: the totals of the whole store, read at the scrape
(`LabelStore.snapshot`), with the store's id as the label ``store``. Over the replicas of one
store one takes the largest::

    - record: model_label_bin:total
      expr: max without (instance, pod) (model_label_bin_total)

The recorded series outlives every process: a replica that is killed, moved or renamed takes
nothing with it, because its labels, also those after its last scrape, stand in what the others
and its successor export. What came in an hour is ``last_over_time(total[5m]) -
min_over_time(total[1h30s])``, and only then the sum over stores. It is not ``increase``: the
largest of several may fall for a scrape, when the replica that was scraped last goes away, and
``increase`` would take that for a restart and count the whole store again (measured: 8,584 for
2,979 labels). A plain ``sum`` over replicas would count every label once per replica; the label
``store`` is there to make that seen. Where each replica has a store of its own (a file), it is
the same rule. A replica that cannot read the store exports no labels at all rather than old
ones. A store that is put back from a backup should get a new id (``UPDATE
modelmeter_schema_version SET store = ...``): until it has grown past what it was, labels would
not be seen to come.

Why not let each replica export what itself counted? Its counter would have to be found again by
its successor, under a name that survives (a pod's does not), or the labels after its last scrape
are on disk and never seen; and one that takes over another's counter begins a new series at its
height, which ``increase`` cannot tell from a rise or does not see at all.

Labels that come before their prediction
----------------------------------------
Predictions are written a moment after the answer. A label for an unknown id first waits for this
process's queue; if the prediction is not there either (it may be in another replica's queue),
the label is kept and answered ``waiting``. It is counted in the transaction that writes its
prediction, or after ten minutes, by whichever process is up, as an ``orphan``. The two
transactions may pass without seeing each other; therefore the last look before a label becomes
an orphan decides, and the first label of an id stays even while it waits. Only ids that `new_id`
made tell their time: for those a pruned prediction is answered ``expired`` rather than
``waiting``.

What is promised
----------------
A commit is on disk: SQLite in WAL mode with ``synchronous=FULL``, PostgreSQL with
``synchronous_commit`` on (switched on for the transaction where it is off). A database that loses
commits itself, such as a failover to an asynchronous replica, loses labels too. Predictions are
not promised: those in the queue of a killed process are gone, and their labels become orphans.
"""

from __future__ import annotations

from modelmeter.live.ids import new_id
from modelmeter.live.labels.checks import CheckValue, check_id, class_check, number_check
from modelmeter.live.labels.reading import Coverage, Progress, Snapshot, Total
from modelmeter.live.labels.records import (
    OUTCOMES,
    Outcome,
    OutcomeKind,
    Prediction,
    Tally,
    TallyLabel,
)
from modelmeter.live.labels.store import AGES, LabelStore

__all__ = [
    "AGES",
    "OUTCOMES",
    "CheckValue",
    "Coverage",
    "LabelStore",
    "Outcome",
    "OutcomeKind",
    "Prediction",
    "Progress",
    "Snapshot",
    "Tally",
    "TallyLabel",
    "Total",
    "check_id",
    "class_check",
    "new_id",
    "number_check",
]
