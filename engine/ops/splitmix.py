"""The constants of the hash that random numbers are: in a file of their own, as compiled code holds them too.

splitmix64 (Steele, Lea & Flood 2014): number i is mix(start + i * GOLDEN), with start = mix(key * GOLDEN + step).
"""

GOLDEN, FIRST, SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
