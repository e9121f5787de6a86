"""What makes a frame suspicious; the training warns and panna_data_doctor reports by these."""

CLOSE = 0.6  # of the sum of the covalent radii; strongly compressed metals come down to 0.64
FACTOR = 20.0  # robust standard deviations from the median that make an outlier
# The robust standard deviation is taken to be at least so much: below it, deviations do no harm.
LEAST_ENERGY_SPREAD = 1e-3  # eV/atom
LEAST_FORCE_SPREAD = 0.5  # eV/angstrom
FEW = 0.05  # outliers are at most this part of the frames: more are a kind of frames of their own
NORMAL = 1.4826  # standard deviation of a normal distribution over its MAD
