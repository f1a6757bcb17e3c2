//! Parting rows by structure: k-means (Lloyd, 1982), started from the rows that lie farthest apart. Deterministic.

use super::{MAX_PARTS, Sample};
use crate::learned::features::STRUCTURE;
use crate::learned::ridge::moments;

/// Rows in a part at least; with fewer the evidence of a part is mostly noise.
const LEAST_ROWS: usize = 400;

/// Rounds at most; the assignment is usually stable after ten.
const ROUNDS: usize = 25;

type Point = [f32; STRUCTURE];

/// Parts `rows` into as many kinds as there are rows for, at most [`MAX_PARTS`]; order is kept within a part.
pub(super) fn part(samples: &[Sample], rows: &[usize]) -> Vec<Vec<usize>> {
    let (mean, deviation) = moments(rows.iter().map(|&row| &samples[row].form.structure));
    let standard = |row: usize| -> Point {
        std::array::from_fn(|at| (samples[row].form.structure[at] - mean[at]) / (deviation[at] + 0.1))
    };
    let points: Vec<Point> = rows.iter().map(|&row| standard(row)).collect();
    for count in (2..=MAX_PARTS).rev() {
        let parts = split(&points, count);
        if parts.iter().all(|part| part.len() >= LEAST_ROWS) {
            return parts.iter().map(|part| part.iter().map(|&at| rows[at]).collect()).collect();
        }
    }
    vec![rows.to_vec()]
}

fn split(points: &[Point], count: usize) -> Vec<Vec<usize>> {
    let mut centres = far_apart(points, count);
    let mut nearest = vec![usize::MAX; points.len()];
    for _ in 0..ROUNDS {
        let next: Vec<usize> = points.iter().map(|point| nearest_of(&centres, point)).collect();
        if next == nearest {
            break;
        }
        nearest = next;
        for (at, centre) in centres.iter_mut().enumerate() {
            *centre =
                moments(points.iter().zip(&nearest).filter(|(_, part)| **part == at).map(|(point, _)| point))
                    .0;
        }
    }
    (0..count).map(|part| (0..points.len()).filter(|&at| nearest[at] == part).collect()).collect()
}

/// The mean, then each time a centre moved towards the row farthest from all so far.
fn far_apart(points: &[Point], count: usize) -> Vec<Point> {
    let mut centres = vec![moments(points.iter()).0];
    while centres.len() < count {
        let away =
            |point: &&Point| centres.iter().map(|centre| square(centre, point)).fold(f32::INFINITY, f32::min);
        let Some(farthest) = points.iter().max_by(|a, b| away(a).total_cmp(&away(b))) else { break };
        centres.push(*farthest);
    }
    centres
}

fn nearest_of(centres: &[Point], point: &Point) -> usize {
    let distances = centres.iter().map(|centre| square(centre, point)).enumerate();
    distances.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |nearest| nearest.0)
}

fn square(a: &Point, b: &Point) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}
