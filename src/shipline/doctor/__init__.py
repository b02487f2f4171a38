"""Symptoms: a pattern in a log, an event or a spec, its cause and its remedy.

    for diagnosis in diagnose(log):
        print(diagnosis.cause, diagnosis.remedy)

The table is in `symptoms`; nothing here looks at a cluster or changes anything.
"""

from shipline.doctor.diagnosis import Diagnosis, diagnose
from shipline.doctor.symptoms import SYMPTOMS, Symptom

__all__ = ["SYMPTOMS", "Diagnosis", "Symptom", "diagnose"]
