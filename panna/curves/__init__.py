"""Learning curves: errors on a test set over the size of the training set.

The protocol is that of Pinheiro Jr, Ge, Ferre, Dral and Barbatti, Chem. Sci. 12, 14396 (2021):
several trainings with random sets of each size, mean and 95 % confidence interval of the errors,
times of training and of prediction. One file for each part: `plan` (which trainings, and their ini
files), `point` (one training and its test), `results` (the table), `analysis` (means, intervals,
power law), `report` (for the screen), `plot`.
"""
