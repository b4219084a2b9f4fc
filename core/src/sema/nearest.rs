//! "Did you mean": names close to one that was not found.

/// Is a name close enough to suggest?
pub(super) fn close(candidate: &str, wanted: &str) -> bool {
    let limit = 1 + wanted.len() / 4;
    candidate.len().abs_diff(wanted.len()) <= limit && distance(candidate, wanted) <= limit
}

/// Levenshtein distance in bytes.
pub(super) fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let next = (diagonal + (x != y) as usize).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = row[j + 1];
            row[j + 1] = next;
        }
    }
    row[b.len()]
}
