// Dead units: one sentence.
