"""The name of every alert and what it is about: what notifications are grouped and silenced by."""

from __future__ import annotations

from typing import Final

TARGET_DOWN: Final = "ModelTargetDown"
"""No replica of a job answers: nothing else that is said of the job is news. Labels: job."""
REPLICA_DOWN: Final = "ModelReplicaDown"
"""One replica of several does not answer. Labels: job, instance."""
NOT_SERVED: Final = "ModelNotServed"
"""Replicas answer, and none of them serves this model. Labels: job, model."""
NO_TRAFFIC: Final = "ModelNoTraffic"
ERROR_BUDGET_BURN: Final = "ModelErrorBudgetBurn"
LATENCY_BUDGET_BURN: Final = "ModelLatencyBudgetBurn"
SATURATED: Final = "ModelSaturated"
BATCH_LATE: Final = "ModelBatchLate"
BATCH_FAILED: Final = "ModelBatchFailed"
FEATURE_MISSING: Final = "ModelFeatureMissing"
FEATURE_UNSEEN: Final = "ModelFeatureUnseen"
FEATURE_OUT_OF_RANGE: Final = "ModelFeatureOutOfRange"
FEATURE_INVALID: Final = "ModelFeatureInvalid"
FEATURE_ABSENT: Final = "ModelFeatureAbsent"
FEATURE_NO_VALUE: Final = "ModelFeatureNoValue"
FEATURE_FROZEN: Final = "ModelFeatureFrozen"
FEATURE_DRIFT: Final = "ModelFeatureDrift"
PREDICTION_DRIFT: Final = "ModelPredictionDrift"
PERFORMANCE_LOW: Final = "ModelPerformanceLow"
ESTIMATED_PERFORMANCE_LOW: Final = "ModelEstimatedPerformanceLow"
MISCALIBRATED: Final = "ModelMiscalibrated"
LABELS_STOPPED: Final = "ModelLabelsStopped"
CANARY_MISMATCH: Final = "ModelCanaryMismatch"
LIBRARY_MISMATCH: Final = "ModelLibraryMismatch"
SCHEMA_MISMATCH: Final = "ModelSchemaMismatch"
REFERENCE_MISMATCH: Final = "ModelReferenceMismatch"
MONITORING_FAILING: Final = "ModelMonitoringFailing"
MONITORING_DROPPING: Final = "ModelMonitoringDropping"
RULES_FAILING: Final = "ModelRulesFailing"

AREAS: Final = {
    "service": (
        TARGET_DOWN,
        REPLICA_DOWN,
        NOT_SERVED,
        NO_TRAFFIC,
        ERROR_BUDGET_BURN,
        LATENCY_BUDGET_BURN,
        SATURATED,
        BATCH_LATE,
        BATCH_FAILED,
    ),
    "data": (
        FEATURE_MISSING,
        FEATURE_UNSEEN,
        FEATURE_OUT_OF_RANGE,
        FEATURE_INVALID,
        FEATURE_ABSENT,
        FEATURE_NO_VALUE,
        FEATURE_FROZEN,
        FEATURE_DRIFT,
    ),
    "prediction": (PREDICTION_DRIFT,),
    "performance": (PERFORMANCE_LOW, ESTIMATED_PERFORMANCE_LOW, MISCALIBRATED),
    "labels": (LABELS_STOPPED,),
    "skew": (CANARY_MISMATCH, LIBRARY_MISMATCH, SCHEMA_MISMATCH, REFERENCE_MISMATCH),
    "monitoring": (MONITORING_FAILING, MONITORING_DROPPING, RULES_FAILING),
}
"""Alerts by the value of their label ``area``."""

AREA_OF: Final = {name: area for area, alerts in AREAS.items() for name in alerts}
"""The label ``area`` of every alert."""

BATCHES: Final = (BATCH_LATE, BATCH_FAILED)
"""Alerts that there are only where something is scored in batches."""

CRITICAL: Final = "critical"
WARNING: Final = "warning"
INFO: Final = "info"
SEVERITIES: Final = (CRITICAL, WARNING, INFO)
"""Values of the label ``severity``: wake somebody, in working hours, to know."""

BROKEN: Final = (FEATURE_MISSING, FEATURE_ABSENT, FEATURE_INVALID, FEATURE_NO_VALUE)
"""The values of a feature do not arrive: what the model makes of it is no second fault."""
UNUSUAL: Final = (FEATURE_UNSEEN, FEATURE_OUT_OF_RANGE, FEATURE_FROZEN)
"""The values of a feature arrive, and are unlike those of training: that is drift too."""
