/** Class priors: probabilities for another mix of classes than that of the training faces, as facelet/models/priors.py. */

/** The prior of the training faces, which changes nothing. */
const TRAINING = "training";

/** Whether the model file states how many training faces of each label there were. */
export const hasCounts = ({ labels, protocol }) => labels.every(label => protocol?.counts?.train?.[label] > 0);

/** Factor of each label's probability for `training`, `uniform` or `uniform^POWER`; null for `training`. */
export function factorsOf({ labels, protocol }, prior) {
  if (prior === TRAINING) return null;
  const counts = labels.map(label => protocol.counts.train[label]), total = counts.reduce((sum, count) => sum + count, 0);
  const power = Number(prior.split("^")[1] ?? 1);
  return counts.map(count => (total / (labels.length * count)) ** power);
}

/** Probabilities times factors, with the sum 1. */
export function reweighted(row, factors) {
  if (!factors) return row;
  const weighted = row.map((value, at) => value * factors[at]), total = weighted.reduce((sum, value) => sum + value, 0);
  return weighted.map(value => value / total);
}
