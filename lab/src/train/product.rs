//! Products of matrices, row by row in memory, in an order of operations that does not depend on the machine.

/// Rows and columns of the result that are kept in registers at a time.
const ROWS: usize = 4;
const COLUMNS: usize = 8;

/// Adds to `c` the product of `a`, whose rows have `inner` numbers, and `b`, whose rows have `columns`: each number of `c` gets its
/// products one after the other, in the order of the inner index, as [`bellwether_core::model::kernel::add_product`] adds them.
pub fn add_product(c: &mut [f32], a: &[f32], b: &[f32], inner: usize, columns: usize) {
    let blocks = columns - columns % COLUMNS;
    for from in (0..blocks).step_by(COLUMNS) {
        let mut rows = c.chunks_mut(ROWS * columns);
        let mut given = a.chunks(ROWS * inner);
        while let (Some(c), Some(a)) = (rows.next(), given.next()) {
            if c.len() == ROWS * columns {
                tile::<ROWS>(c, a, b, inner, columns, from);
            } else {
                for (c, a) in c.chunks_mut(columns).zip(a.chunks(inner)) {
                    tile::<1>(c, a, b, inner, columns, from);
                }
            }
        }
    }
    if blocks < columns {
        for (c, a) in c.chunks_mut(columns).zip(a.chunks(inner)) {
            let rest = &mut c[blocks..];
            for (a, b) in a.iter().zip(b.chunks(columns)) {
                for (c, b) in rest.iter_mut().zip(&b[blocks..]) {
                    *c += a * b;
                }
            }
        }
    }
}

/// The same for `N` rows and the columns from `from` on.
#[inline(always)]
fn tile<const N: usize>(
    c: &mut [f32],
    a: &[f32],
    b: &[f32],
    inner: usize,
    columns: usize,
    from: usize,
) {
    let mut sums = [[0.0_f32; COLUMNS]; N];
    for (row, sums) in sums.iter_mut().enumerate() {
        sums.copy_from_slice(&c[row * columns + from..][..COLUMNS]);
    }
    let mut rows = [&a[..inner]; N];
    for (row, a) in rows.iter_mut().zip(a.chunks_exact(inner)) {
        *row = a;
    }
    for (at, b) in b.chunks_exact(columns).take(inner).enumerate() {
        let b: &[f32; COLUMNS] = b[from..from + COLUMNS].try_into().expect("its length");
        for (sums, a) in sums.iter_mut().zip(&rows) {
            let a = a[at];
            for (sum, b) in sums.iter_mut().zip(b) {
                *sum += a * b;
            }
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        c[row * columns + from..][..COLUMNS].copy_from_slice(sums);
    }
}

/// The columns of `a`, whose rows have `columns` numbers, as rows.
pub fn transposed(a: &[f32], columns: usize) -> Vec<f32> {
    let rows = a.len() / columns;
    let mut out = vec![0.0; a.len()];
    for (row, values) in a.chunks_exact(columns).enumerate() {
        for (column, value) in values.iter().enumerate() {
            out[column * rows + row] = *value;
        }
    }
    out
}

/// Adds to each number of `sums` those of its column in `a`.
pub fn add_columns(sums: &mut [f32], a: &[f32]) {
    for row in a.chunks_exact(sums.len()) {
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_of_all_shapes_are_those_of_the_forward_pass_bit_by_bit() {
        let mut random = fastrand::Rng::with_seed(5);
        let mut matrix = |n: usize| -> Vec<f32> { (0..n).map(|_| random.f32() - 0.5).collect() };
        for (rows, inner, columns) in [(1, 1, 1), (4, 8, 8), (9, 5, 19), (6, 33, 24), (3, 2, 7)] {
            let (a, b) = (matrix(rows * inner), matrix(inner * columns));
            let start = matrix(rows * columns);
            let mut ours = start.clone();
            add_product(&mut ours, &a, &b, inner, columns);
            let mut plain = start;
            for (c, a) in plain.chunks_mut(columns).zip(a.chunks(inner)) {
                bellwether_core::model::kernel::add_product(c, a, &b);
            }
            assert_eq!(ours, plain, "{rows} {inner} {columns}");
        }
    }

    #[test]
    fn a_transposed_matrix_has_columns_for_rows() {
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(transposed(&a, 3), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        let mut sums = [0.5, 0.0, 0.0];
        add_columns(&mut sums, &a);
        assert_eq!(sums, [5.5, 7.0, 9.0]);
    }
}
