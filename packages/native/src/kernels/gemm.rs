//! Matrix products of any strides.
//!
//! A register tile has `ROWS` x `VECTORS` vectors. B is packed into panels of `VECTORS` vectors, blocked for the second-level cache; one panel stays in the
//! first level while a block of rows of A streams by. Every element of C is one chain of multiply-adds along k, whichever tile computes it: a result does not
//! depend on how rows and columns were divided among tiles or threads.

use crate::kernel;
use crate::kernels::ahead::{ask_near, Ahead, Rows};
use crate::math;
use crate::memory::{elements, Checked, Operands};
use crate::scratch::Scratch;
use crate::simd::{keep, some, Simd};
use crate::team::{part, Worker};

/// Depth and columns of a block of B (256 KiB): it stays in the second-level cache.
pub const KC: usize = 256;
const NC: usize = 256;
/// Tiles of rows of A that are multiplied by a panel of B while it stays in the first-level cache; they stay in the second.
const BLOCK: usize = 8;
/// The most rows that a tile of any instruction set has.
const MOST_ROWS: usize = 14;

/// C[m, n] = activation(A[m, k] B[k, n] + bias), or C += A B (then without bias and activation). Strides in floats; columns of C are dense.
#[derive(Clone, Copy)]
pub struct Product {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub a: *const f32,
    pub a_row: isize,
    pub a_column: isize,
    pub b: *const f32,
    pub b_row: isize,
    pub b_column: isize,
    pub c: *mut f32,
    pub ldc: usize,
    pub bias: *const f32,
    /// 0 none, 1 ReLU, 2 tanh, 3 sigmoid
    pub activation: i32,
    pub accumulate: bool,
    /// Products of as many A by the same B, and from one to the next of A and C: B is packed once for some of them.
    pub groups: usize,
    pub a_group: isize,
    pub c_group: usize,
}

impl Product {
    /// Dense rows: A [m, k], B [k, n].
    pub fn new(m: usize, n: usize, k: usize, a: *const f32, a_row: usize, b: *const f32, b_row: usize, c: *mut f32, ldc: usize) -> Product {
        Product {
            m,
            n,
            k,
            a,
            a_row: a_row as isize,
            a_column: 1,
            b,
            b_row: b_row as isize,
            b_column: 1,
            c,
            ldc,
            bias: std::ptr::null(),
            activation: 0,
            accumulate: false,
            groups: 1,
            a_group: 0,
            c_group: 0,
        }
    }

    /// A is given as its transpose [k, m].
    pub fn transpose_a(mut self) -> Product {
        std::mem::swap(&mut self.a_row, &mut self.a_column);
        self
    }

    /// B is given as its transpose [n, k].
    pub fn transpose_b(mut self) -> Product {
        std::mem::swap(&mut self.b_row, &mut self.b_column);
        self
    }

    pub fn accumulate(mut self, accumulate: bool) -> Product {
        self.accumulate = accumulate;
        self
    }

    /// So many products, of A and C that are so far apart.
    pub fn groups(mut self, groups: usize, a_group: usize, c_group: usize) -> Product {
        (self.groups, self.a_group, self.c_group) = (groups, a_group as isize, c_group);
        self
    }

    /// One of them.
    fn group(&self, group: usize) -> Product {
        Product {
            a: self.a.wrapping_offset(group as isize * self.a_group),
            c: self.c.wrapping_add(group * self.c_group),
            groups: 1,
            ..*self
        }
    }

    /// Does something come after the sums?
    fn is_finished(&self) -> bool {
        !self.bias.is_null() || self.activation != 0
    }

    /// Are rows of A read where they lie? Few columns, or few rows, do not pay for packing A where tiles of rows as they lie are as high; others do: rows that are a power of two apart
    /// throw each other out of the first-level cache. A whose columns are apart is always packed.
    fn is_direct<S: Simd>(&self) -> bool {
        self.a_column == 1 && (self.m <= 6 || (S::ROWS <= 6 && self.n < NC))
    }

    /// The most rows of a tile.
    fn rows_of_tile<S: Simd>(&self) -> usize {
        if self.is_direct::<S>() {
            S::ROWS_IN_PLACE
        } else {
            S::ROWS
        }
    }

    /// Rows and columns of A (where they begin, and how many), to ask for.
    fn part_of_a(&self, (i, m): (usize, usize), (q, k): (usize, usize)) -> Rows {
        Rows::new(self.a.wrapping_offset(i as isize * self.a_row + q as isize * self.a_column), m, k, self.a_row, self.a_column)
    }

    /// Rows and columns of B, to ask for.
    fn part_of_b(&self, (q, k): (usize, usize), (j, n): (usize, usize)) -> Rows {
        Rows::new(self.b.wrapping_offset(q as isize * self.b_row + j as isize * self.b_column), k, n, self.b_row, self.b_column)
    }
}

/// C[M, N vectors] (+)= A B over k. `columns`: those of C that are written. PACKED: A is [k][M].
///
/// # Safety
/// A, B (whole vectors) and the named part of C must be valid.
#[inline(always)]
pub unsafe fn tile<S: Simd, const M: usize, const N: usize, const PACKED: bool>(
    s: S,
    k: usize,
    mut a: *const f32,
    a_row: isize,
    a_column: isize,
    mut b: *const f32,
    b_row: isize,
    c: *mut f32,
    ldc: usize,
    columns: usize,
    accumulate: bool,
) {
    let mut sums = [[s.splat(0.0); N]; M];
    let whole = columns == N * S::LANES;
    if accumulate {
        for (i, row) in sums.iter_mut().enumerate() {
            for (j, sum) in row.iter_mut().enumerate() {
                let p = c.add(i * ldc + j * S::LANES);
                *sum = if whole { s.load(p) } else { s.load_part(p, left::<S>(columns, j)) };
            }
        }
    }
    let (row, column) = if PACKED { (1, M as isize) } else { (a_row, a_column) };
    for _ in 0..k {
        // The fewer operands stay in registers, so that those and all sums fit.
        if M < N {
            let mut xs = [s.splat(0.0); M];
            for (i, x) in xs.iter_mut().enumerate() {
                *x = s.splat(*a.offset(i as isize * row));
            }
            for j in 0..N {
                let v = s.load(b.add(j * S::LANES));
                for (sums, x) in sums.iter_mut().zip(xs) {
                    sums[j] = s.fma(x, v, sums[j]);
                }
            }
        } else {
            let mut line = [s.splat(0.0); N];
            for (j, v) in line.iter_mut().enumerate() {
                *v = s.load(b.add(j * S::LANES));
            }
            for (i, sums) in sums.iter_mut().enumerate() {
                let x = s.splat(*a.offset(i as isize * row));
                for (sum, v) in sums.iter_mut().zip(line) {
                    *sum = s.fma(x, v, *sum);
                }
            }
        }
        a = a.wrapping_offset(column);
        b = b.wrapping_offset(b_row);
    }
    for (i, row) in sums.iter().enumerate() {
        for (j, sum) in row.iter().enumerate() {
            let p = c.add(i * ldc + j * S::LANES);
            if whole {
                s.store(p, *sum);
            } else {
                s.store_part(p, *sum, left::<S>(columns, j));
            }
        }
    }
}

/// The columns that vector j of a tile has.
#[inline(always)]
fn left<S: Simd>(columns: usize, j: usize) -> usize {
    columns.saturating_sub(j * S::LANES).min(S::LANES)
}

/// A tile of so many vectors and any number of rows, of those that an instruction set has: `$most` is one of its constants, so that no code is left of others.
/// `$arguments` are those of [`tile`].
macro_rules! tile_of {
    ($rows:expr, $most:expr, $vectors:literal, $packed:expr, $arguments:tt) => {
        $crate::kernels::gemm::tile_of!(@ 1 2 3 4 5 6 7 8 9 10 11 12 13 14, $rows, $most, $vectors, $packed, $arguments)
    };
    (@ $($m:literal)*, $rows:expr, $most:expr, $vectors:literal, $packed:expr, $arguments:tt) => {
        match $rows {
            $($m if $most >= $m => tile::<S, $m, $vectors, $packed> $arguments,)*
            _ => unreachable!("a tile of more rows than the instruction set has"),
        }
    };
}
pub(crate) use tile_of;

/// A tile of `rows` rows and as many vectors as `columns` take. Where both are constants, it is that tile itself.
///
/// # Safety
/// As of [`tile`].
#[inline(always)]
pub unsafe fn choose<S: Simd, const PACKED: bool>(
    s: S,
    rows: usize,
    columns: usize,
    k: usize,
    a: *const f32,
    a_row: isize,
    a_column: isize,
    b: *const f32,
    b_row: isize,
    c: *mut f32,
    ldc: usize,
    accumulate: bool,
) {
    macro_rules! vectors {
        ($n:literal) => {
            tile_of!(
                rows,
                if PACKED { S::ROWS } else { S::ROWS_IN_PLACE },
                $n,
                PACKED,
                (s, k, a, a_row, a_column, b, b_row, c, ldc, columns, accumulate)
            )
        };
    }
    match columns.div_ceil(S::LANES) {
        1 => vectors!(1),
        2 => vectors!(2),
        3 if S::VECTORS >= 3 => vectors!(3),
        4 if S::VECTORS >= 4 => vectors!(4),
        _ => unreachable!("a tile of more vectors than the instruction set has"),
    }
}

kernel! {
    /// A tile of rows of A as they lie.
    ///
    /// # Safety
    /// As of [`tile`].
    pub unsafe fn tile_direct(
        s, rows: usize, columns: usize, k: usize, a: *const f32, a_row: isize, a_column: isize, b: *const f32, b_row: isize, c: *mut f32, ldc: usize,
        accumulate: bool,
    ) {
        choose::<S, false>(s, rows, columns, k, a, a_row, a_column, b, b_row, c, ldc, accumulate);
    }
}

kernel! {
    /// A tile of rows of A that are packed [k][rows].
    ///
    /// # Safety
    /// As of [`tile`].
    unsafe fn tile_packed(
        s, rows: usize, columns: usize, k: usize, a: *const f32, b: *const f32, b_row: isize, c: *mut f32, ldc: usize, accumulate: bool,
    ) {
        choose::<S, true>(s, rows, columns, k, a, 0, 0, b, b_row, c, ldc, accumulate);
    }
}

kernel! {
    /// The tiles of all rows of A, as they lie, and one panel of B.
    ///
    /// # Safety
    /// As of [`tile`].
    unsafe fn tiles_direct(
        s, m: usize, columns: usize, k: usize, a: *const f32, a_row: isize, a_column: isize, panel: *const f32, c: *mut f32, ldc: usize,
        accumulate: bool, ahead: *mut Ahead<2>,
    ) {
        let (most, width) = (S::ROWS_IN_PLACE, S::VECTORS * S::LANES);
        let lanes = (columns.div_ceil(S::LANES) * S::LANES) as isize;
        for (i, rows) in Chunks::new(m, most) {
            (*ahead).step(s);
            fetch_tile(s, rows, columns, c.add(i * ldc), ldc);
            let (a, c) = (a.offset(i as isize * a_row), c.add(i * ldc));
            if rows == most && columns == width {
                // A whole tile, in the loop itself: each begins while the one before still ends, and neither waits for a call.
                choose::<S, false>(s, most, width, k, a, a_row, a_column, panel, width as isize, c, ldc, accumulate);
            } else {
                tile_direct(s, rows, columns, k, a, a_row, a_column, panel, lanes, c, ldc, accumulate);
            }
        }
    }
}

kernel! {
    /// The tiles of all rows of A, packed a tile at a time, and one panel of B.
    ///
    /// # Safety
    /// As of [`tile`].
    unsafe fn tiles_packed(
        s, m: usize, columns: usize, k: usize, a: *const f32, panel: *const f32, c: *mut f32, ldc: usize, accumulate: bool, ahead: *mut Ahead<2>,
    ) {
        let width = S::VECTORS * S::LANES;
        let lanes = (columns.div_ceil(S::LANES) * S::LANES) as isize;
        for (i, rows) in Chunks::new(m, S::ROWS) {
            (*ahead).step(s);
            fetch_tile(s, rows, columns, c.add(i * ldc), ldc);
            let (a, c) = (a.add(i * k), c.add(i * ldc));
            if rows == S::ROWS && columns == width {
                // A whole tile, as in `tiles_direct`.
                choose::<S, true>(s, S::ROWS, width, k, a, 0, 0, panel, width as isize, c, ldc, accumulate);
            } else {
                tile_packed(s, rows, columns, k, a, panel, lanes, c, ldc, accumulate);
            }
        }
    }
}

/// Asks for a tile of C, which is there once its sums are.
#[inline(always)]
fn fetch_tile<S: Simd>(s: S, rows: usize, columns: usize, c: *const f32, ldc: usize) {
    for i in 0..rows {
        ask_near(s, c.wrapping_add(i * ldc), columns);
    }
}

/// Splits `count` rows into as few chunks of at most `most` as there must be: all have the most but for the last two, which share what is left.
#[derive(Clone, Copy)]
pub struct Chunks {
    at: usize,
    end: usize,
    left: usize,
    most: usize,
}

impl Chunks {
    #[inline(always)]
    pub fn new(count: usize, most: usize) -> Chunks {
        Chunks { at: 0, end: count, left: count.div_ceil(most), most }
    }
}

impl Iterator for Chunks {
    /// Where it begins, and how long it is.
    type Item = (usize, usize);
    #[inline(always)]
    fn next(&mut self) -> Option<(usize, usize)> {
        if self.at == self.end {
            return None;
        }
        let size = if self.left > 2 { self.most } else { (self.end - self.at).div_ceil(self.left) };
        let first = self.at;
        self.at += size;
        self.left -= 1;
        Some((first, size))
    }
}

/// Packs `columns` columns and `depth` rows of B into [depth][width], padded with zeros.
///
/// # Safety
/// B and the packed panel must be valid.
#[inline(always)]
unsafe fn pack_panel<S: Simd>(s: S, b: *const f32, row: isize, column: isize, columns: usize, width: usize, depth: usize, to: *mut f32) {
    if column == 1 {
        for q in 0..depth {
            let from = b.offset(q as isize * row);
            let at = to.add(q * width);
            let mut j = 0;
            while j + S::LANES <= columns {
                s.store(at.add(j), s.load(from.add(j)));
                j += S::LANES;
            }
            if j < width {
                s.store(at.add(j), s.load_part(from.add(j), columns - j));
            }
        }
        return;
    }
    let mut done = 0;
    if row == 1 && column >= 0 {
        // Whole squares of lanes.
        let squares = columns / S::LANES;
        for j in 0..squares {
            let mut q = 0;
            while q + S::LANES <= depth {
                s.transpose(
                    b.offset((j * S::LANES) as isize * column + q as isize),
                    column as usize,
                    to.add(q * width + j * S::LANES),
                    width,
                );
                q += S::LANES;
            }
            for q in q..depth {
                for i in 0..S::LANES {
                    *to.add(q * width + j * S::LANES + i) = *b.offset((j * S::LANES + i) as isize * column + q as isize);
                }
            }
        }
        done = squares * S::LANES;
    }
    for j in done..width {
        for q in 0..depth {
            *to.add(q * width + j) = if j < columns { *b.offset(q as isize * row + j as isize * column) } else { 0.0 };
        }
    }
}

/// Panels whose parts of a row of B are packed together: rows are read in long pieces, which the processor foresees, and written to few places.
const PANELS: usize = 4;

/// Packs B [depth, columns] into panels, one behind the other.
///
/// # Safety
/// B and the packed panels must be valid.
#[inline(always)]
unsafe fn pack_panels<S: Simd>(s: S, b: *const f32, row: isize, column: isize, columns: usize, depth: usize, to: *mut f32) {
    let width = S::VECTORS * S::LANES;
    let whole = if column == 1 { columns - columns % width } else { 0 };
    let mut first = 0;
    while first < whole {
        let end = whole.min(first + PANELS * width);
        for q in 0..depth {
            let from = b.offset(q as isize * row);
            let mut j = first;
            while j < end {
                let at = to.add(j * depth + q * width);
                for v in 0..S::VECTORS {
                    s.store(at.add(v * S::LANES), s.load(from.add(j + v * S::LANES)));
                }
                j += width;
            }
        }
        first = end;
    }
    let mut j = whole;
    while j < columns {
        let n = width.min(columns - j);
        let lanes = n.div_ceil(S::LANES) * S::LANES;
        pack_panel(s, b.offset(j as isize * column), row, column, n, lanes, depth, to.add(j * depth));
        j += width;
    }
}

/// Packs a block of `count` rows of A, whose columns are dense, into tiles of at most `most` rows. Columns are read whole, as [`pack_panels`] reads rows.
///
/// # Safety
/// A and the packed rows, and one vector more, must be valid; `below`: rows of A from here on.
#[inline(always)]
unsafe fn pack_columns<S: Simd>(s: S, a: *const f32, column: isize, count: usize, most: usize, below: usize, depth: usize, to: *mut f32) {
    let mut tiles = [(0, 0); BLOCK];
    let mut n = 0;
    for tile in Chunks::new(count, most) {
        tiles[n] = tile;
        n += 1;
    }
    for q in 0..depth {
        let from = a.offset(q as isize * column);
        for &(i, rows) in &tiles[..n] {
            let at = to.add(i * depth + q * rows);
            if q + 1 < depth && rows <= S::LANES && i + S::LANES <= below {
                // What is written beyond the last row is written over by the next column: every tile but the last has at least half a vector of rows (see
                // `Chunks`), so that it ends before the next tile's first column, which is there already.
                s.store(at, s.load(from.add(i)));
            } else {
                for r in 0..rows {
                    *at.add(r) = *from.add(i + r);
                }
            }
        }
    }
}

/// Packs `rows` rows and `depth` columns of A into [depth][rows].
///
/// # Safety
/// A and the packed rows, and one vector more, must be valid; `below`: rows of A from here on.
#[inline(always)]
unsafe fn pack_rows<S: Simd>(s: S, a: *const f32, row: isize, column: isize, rows: usize, below: usize, depth: usize, to: *mut f32) {
    let mut q = 0;
    if column == 1 && rows <= S::LANES {
        let (mut square, mut lines) = ([0f32; 256], [0f32; 256]);
        while q + S::LANES <= depth {
            if row >= 0 && below >= S::LANES {
                s.transpose(a.add(q), row as usize, square.as_mut_ptr(), S::LANES);
            } else {
                for i in 0..rows {
                    s.store(lines.as_mut_ptr().add(i * S::LANES), s.load(a.offset(i as isize * row).add(q)));
                }
                s.transpose(lines.as_ptr(), S::LANES, square.as_mut_ptr(), S::LANES);
            }
            // Each vector is written over the end of the one before.
            for i in 0..S::LANES {
                s.store(to.add((q + i) * rows), s.load(square.as_ptr().add(i * S::LANES)));
            }
            q += S::LANES;
        }
    }
    for q in q..depth {
        for i in 0..rows {
            *to.add(q * rows + i) = *a.offset(i as isize * row + q as isize * column);
        }
    }
}

kernel! {
    /// activation(C + bias) of a block.
    ///
    /// # Safety
    /// The block of C, and `columns` values of the bias unless it is null, must be valid.
    unsafe fn finish(s, c: *mut f32, rows: usize, columns: usize, ldc: usize, bias: *const f32, activation: i32) {
        for i in 0..rows {
            let row = c.add(i * ldc);
            let mut j = 0;
            while j < columns {
                let n = S::LANES.min(columns - j);
                let mut v = some(s, row.add(j), n);
                if !bias.is_null() {
                    v = s.add(v, some(s, bias.add(j), n));
                }
                v = match activation {
                    1 => s.pmax(v, s.splat(0.0)),
                    2 => math::tanh(s, v),
                    3 => math::sigmoid(s, v),
                    _ => v,
                };
                keep(s, row.add(j), v, n);
                j += S::LANES;
            }
        }
    }
}

/// Floats of scratch memory: a block of B, and rows of A.
pub const SCRATCH: usize = KC * (NC + 128) + KC * BLOCK * MOST_ROWS + 1024;

/// A product.
///
/// # Safety
/// All elements of A, B, C and the bias must be valid memory, and C must not overlap the others.
pub unsafe fn gemm<S: Simd>(s: S, p: &Product, scratch: &mut Scratch) {
    if p.m == 0 || p.n == 0 {
        return;
    }
    if p.k > 0 {
        product(s, *p, scratch.floats(SCRATCH));
        return;
    }
    if p.accumulate {
        return;
    }
    for p in (0..p.groups).map(|g| p.group(g)) {
        for i in 0..p.m {
            std::ptr::write_bytes(p.c.add(i * p.ldc), 0, p.n);
        }
        if p.is_finished() {
            finish(s, p.c, p.m, p.n, p.ldc, p.bias, p.activation);
        }
    }
}

/// Rows of products by the same B that are computed together: their part of C stays in the second-level cache from one block of the summed dimension to the next.
const TOGETHER: usize = 1024;

kernel! {
    /// # Safety
    /// As of [`gemm`]; `scratch` has `SCRATCH` floats.
    unsafe fn product(s, p: Product, scratch: *mut f32) {
        let width = S::VECTORS * S::LANES;
        if p.m <= 2 * S::ROWS_IN_PLACE && p.b_column == 1 && p.n >= S::LANES {
            for p in (0..p.groups).map(|g| p.group(g)) {
                narrow(s, p, scratch);
                if p.is_finished() {
                    finish(s, p.c, p.m, p.n, p.ldc, p.bias, p.activation);
                }
            }
            return;
        }
        let packed = scratch;
        let rows_at = packed.add(KC * (NC + 128));
        let most = p.rows_of_tile::<S>();
        let mut ahead = Ahead::nothing();
        let together = (TOGETHER / p.m).max(1);
        for first in (0..p.groups).step_by(together) {
            let last = p.groups.min(first + together);
            for j0 in (0..p.n).step_by(NC) {
                let columns = NC.min(p.n - j0);
                for q0 in (0..p.k).step_by(KC) {
                    let depth = KC.min(p.k - q0);
                    let b = p.b.offset(q0 as isize * p.b_row + j0 as isize * p.b_column);
                    pack_panels(s, b, p.b_row, p.b_column, columns, depth, packed);
                    // Within the tiles of all rows, the next block of the summed dimension.
                    let next = p.part_of_b((q0 + depth, KC.min(p.k - q0 - depth)), (j0, columns));
                    ahead.set(0, next, (last - first) * p.m.div_ceil(most) * columns.div_ceil(width));
                    for group in first..last {
                        // The rows that come next: those of the next product, or of the next block.
                        let (after, q) = if group + 1 < last { (group + 1, q0) } else { (first, q0 + depth) };
                        let after = p.group(after).part_of_a((0, p.m.min(BLOCK * most)), (q, KC.min(p.k - q)));
                        times_block(s, &p.group(group), (j0, columns), (q0, depth), packed, rows_at, after, &mut ahead);
                    }
                }
            }
        }
    }
}

/// All rows of A times a block of B that is packed: some columns (where they begin, and how many), and a part of the summed dimension. `after`: what is asked for with the last rows.
///
/// # Safety
/// As of [`gemm`]; the block of B must be packed, and `rows_at` have room for `BLOCK` tiles.
#[inline(always)]
unsafe fn times_block<S: Simd>(
    s: S,
    p: &Product,
    (j0, columns): (usize, usize),
    (q0, depth): (usize, usize),
    packed: *const f32,
    rows_at: *mut f32,
    after: Rows,
    ahead: &mut Ahead<2>,
) {
    let (direct, most, width) = (p.is_direct::<S>(), p.rows_of_tile::<S>(), S::VECTORS * S::LANES);
    let more = p.accumulate || q0 > 0;
    for (i0, count) in Chunks::new(p.m, BLOCK * most) {
        let a = p.a.offset(i0 as isize * p.a_row + q0 as isize * p.a_column);
        let below = p.m - i0 - count;
        let next = if below > 0 { p.part_of_a((i0 + count, below.min(BLOCK * most)), (q0, depth)) } else { after };
        ahead.set(1, next, count.div_ceil(most) * columns.div_ceil(width));
        if !direct && p.a_row == 1 {
            pack_columns(s, a, p.a_column, count, most, p.m - i0, depth, rows_at);
        } else if !direct {
            for (i, rows) in Chunks::new(count, most) {
                let from = a.offset(i as isize * p.a_row);
                pack_rows(s, from, p.a_row, p.a_column, rows, p.m - i0 - i, depth, rows_at.add(i * depth));
            }
        }
        let c = p.c.add(i0 * p.ldc + j0);
        for j in (0..columns).step_by(width) {
            let n = width.min(columns - j);
            let (panel, c) = (packed.add(j * depth), c.add(j));
            if direct {
                tiles_direct(s, count, n, depth, a, p.a_row, 1, panel, c, p.ldc, more, ahead);
            } else {
                tiles_packed(s, count, n, depth, rows_at, panel, c, p.ldc, more, ahead);
            }
        }
        if q0 + depth == p.k && p.is_finished() {
            finish(s, c, count, columns, p.ldc, if p.bias.is_null() { p.bias } else { p.bias.add(j0) }, p.activation);
        }
    }
}

/// Floats of B from which on it is read row after row: what a tile reads of each of many rows would be a part of a page.
const STREAMED: usize = 1 << 16;
/// Rows of B that are read side by side then.
const STREAMS: usize = 8;

/// Few rows, and rows of B that are dense: packing B would cost as much as the product.
///
/// # Safety
/// As of [`gemm`].
#[inline(always)]
unsafe fn narrow<S: Simd>(s: S, whole: Product, scratch: *mut f32) {
    let most = if whole.k * whole.n < STREAMED { whole.k } else { STREAMS };
    let mut q = 0;
    while q < whole.k {
        let k = most.min(whole.k - q);
        let (a, b) = (whole.a.offset(q as isize * whole.a_column), whole.b.offset(q as isize * whole.b_row));
        narrow_part(s, Product { k, a, b, accumulate: whole.accumulate || q > 0, ..whole }, scratch);
        q += k;
    }
}

/// As [`narrow`], of rows of B that are read side by side.
///
/// # Safety
/// As of [`gemm`].
#[inline(always)]
unsafe fn narrow_part<S: Simd>(s: S, p: Product, scratch: *mut f32) {
    let lanes = S::LANES;
    let (whole, width) = (p.n - p.n % lanes, S::VECTORS * lanes);
    // Few at a time where rows are short, so that what is read of each is long.
    let most = if p.k <= STREAMS { 3 } else { S::ROWS_IN_PLACE };
    for (i, rows) in Chunks::new(p.m, most) {
        let a = p.a.offset(i as isize * p.a_row);
        let c = p.c.add(i * p.ldc);
        let mut j = 0;
        // One to three rows: enough sums at a time to hide the latency of an addition.
        if rows <= 3 {
            let n = if rows == 1 { 8 } else { 4 };
            while j + n * lanes <= whole {
                let b = p.b.add(j);
                match rows {
                    1 => tile::<S, 1, 8, false>(s, p.k, a, p.a_row, p.a_column, b, p.b_row, c.add(j), p.ldc, n * lanes, p.accumulate),
                    2 => tile::<S, 2, 4, false>(s, p.k, a, p.a_row, p.a_column, b, p.b_row, c.add(j), p.ldc, n * lanes, p.accumulate),
                    _ => tile::<S, 3, 4, false>(s, p.k, a, p.a_row, p.a_column, b, p.b_row, c.add(j), p.ldc, n * lanes, p.accumulate),
                }
                j += n * lanes;
            }
        }
        while j < whole {
            let n = width.min(whole - j);
            tile_direct(s, rows, n, p.k, a, p.a_row, p.a_column, p.b.add(j), p.b_row, c.add(j), p.ldc, p.accumulate);
            j += n;
        }
        if whole < p.n {
            // What is less than a vector wide.
            let mut q = 0;
            while q < p.k {
                let depth = KC.min(p.k - q);
                pack_panel(s, p.b.offset(q as isize * p.b_row + whole as isize), p.b_row, 1, p.n - whole, lanes, depth, scratch);
                let a = a.offset(q as isize * p.a_column);
                let more = p.accumulate || q > 0;
                tile_direct(s, rows, p.n - whole, depth, a, p.a_row, p.a_column, scratch, lanes as isize, c.add(whole), p.ldc, more);
                q += KC;
            }
        }
    }
}

/// Floats of a matrix of `depth` rows and `columns` columns, packed for [`multiply`].
pub fn packed_size<S: Simd>(depth: usize, columns: usize) -> usize {
    depth * columns.div_ceil(S::LANES) * S::LANES
}

kernel! {
    /// Packs panels `first` .. `last` (of `VECTORS` vectors) of B [depth, columns] for [`multiply`].
    ///
    /// # Safety
    /// B and the packed matrix must be valid.
    pub unsafe fn pack(s, b: *const f32, row: isize, column: isize, columns: usize, depth: usize, to: *mut f32, first: usize, last: usize) {
        let width = S::VECTORS * S::LANES;
        let (from, end) = (columns.min(first.saturating_mul(width)), columns.min(last.saturating_mul(width)));
        pack_panels(s, b.offset(from as isize * column), row, column, end - from.min(end), depth, to.add(from * depth));
    }
}

/// C[m, columns] (+)= A[m, depth] B, with B packed by [`pack`], and dense rows of A.
///
/// # Safety
/// A, C and the packed B must be valid.
pub unsafe fn multiply<S: Simd>(
    s: S,
    m: usize,
    columns: usize,
    depth: usize,
    a: *const f32,
    a_row: isize,
    packed: *const f32,
    c: *mut f32,
    ldc: usize,
    accumulate: bool,
) {
    multiply_strided(s, m, columns, depth, a, a_row, 1, packed, c, ldc, accumulate);
}

kernel! {
    /// The same with any strides of A, whose values should lie in a near cache.
    ///
    /// # Safety
    /// A, C and the packed B must be valid.
    pub unsafe fn multiply_strided(
        s, m: usize, columns: usize, depth: usize, a: *const f32, a_row: isize, a_column: isize, packed: *const f32, c: *mut f32, ldc: usize,
        accumulate: bool,
    ) {
        let width = S::VECTORS * S::LANES;
        if depth == 0 && !accumulate {
            for i in 0..m {
                std::ptr::write_bytes(c.add(i * ldc), 0, columns);
            }
        }
        let ahead = &mut Ahead::nothing();
        let mut j = 0;
        while j < columns {
            let n = width.min(columns - j);
            let lanes = n.div_ceil(S::LANES) * S::LANES;
            let panel = packed.add(j * depth);
            let mut q = 0;
            while q < depth {
                let part = KC.min(depth - q);
                let a = a.offset(q as isize * a_column);
                tiles_direct(s, m, n, part, a, a_row, a_column, panel.add(q * lanes), c.add(j), ldc, accumulate || q > 0, ahead);
                q += KC;
            }
            j += width;
        }
    }
}

/// C[M, N] += A B^T: dot products of rows of A and of B, each summed lane by lane.
///
/// # Safety
/// As of [`dots`].
#[inline(always)]
unsafe fn dots_tile<S: Simd, const M: usize, const N: usize>(
    s: S,
    k: usize,
    a: *const f32,
    a_row: usize,
    b: *const f32,
    b_row: usize,
    c: *mut f32,
    ldc: usize,
) {
    let mut sums = [[s.splat(0.0); N]; M];
    let mut q = 0;
    while q < k {
        let n = S::LANES.min(k - q);
        let mut xs = [s.splat(0.0); M];
        for (i, x) in xs.iter_mut().enumerate() {
            *x = some(s, a.add(i * a_row + q), n);
        }
        for j in 0..N {
            let v = some(s, b.add(j * b_row + q), n);
            for (sums, x) in sums.iter_mut().zip(xs) {
                sums[j] = s.fma(x, v, sums[j]);
            }
        }
        q += S::LANES;
    }
    for (i, sums) in sums.iter().enumerate() {
        for (j, sum) in sums.iter().enumerate() {
            *c.add(i * ldc + j) += s.total(*sum);
        }
    }
}

kernel! {
    /// C[m, n] += A[m, k] B^T, of few rows of A and a large B [n, k] that is read once, where it lies: packing it would read and write it more often than the product.
    ///
    /// # Safety
    /// A, B and C must be valid.
    pub unsafe fn dots(s, m: usize, n: usize, k: usize, a: *const f32, a_row: usize, b: *const f32, b_row: usize, c: *mut f32, ldc: usize) {
        // Four rows of B side by side: eight whose places differ by a power of two would throw each other out of the first-level cache.
        const SIDE: usize = 4;
        let mut j = 0;
        while j < n {
            let (b, c) = (b.add(j * b_row), c.add(j));
            let side = if n - j >= SIDE { SIDE } else { 1 };
            for (i, rows) in Chunks::new(m, 3) {
                let (a, c) = (a.add(i * a_row), c.add(i * ldc));
                match (rows, side) {
                    (1, SIDE) => dots_tile::<S, 1, SIDE>(s, k, a, a_row, b, b_row, c, ldc),
                    (2, SIDE) => dots_tile::<S, 2, SIDE>(s, k, a, a_row, b, b_row, c, ldc),
                    (_, SIDE) => dots_tile::<S, 3, SIDE>(s, k, a, a_row, b, b_row, c, ldc),
                    (1, _) => dots_tile::<S, 1, 1>(s, k, a, a_row, b, b_row, c, ldc),
                    (2, _) => dots_tile::<S, 2, 1>(s, k, a, a_row, b, b_row, c, ldc),
                    (_, _) => dots_tile::<S, 3, 1>(s, k, a, a_row, b, b_row, c, ldc),
                }
            }
            j += side;
        }
    }
}

/// [b0, b1, m, n, k, a, its row and column, b, its row and column, c, its row, bias, activation, from one matrix to the next: a0, a1, s0, s1], strides in bytes.
pub fn command<S: Simd>(s: S, worker: &mut Worker, o: &Operands) -> Checked<()> {
    use crate::commands::word::gemm as w;
    let [b0, b1, m, n, k] = [o.size(w::OUTER)?, o.size(w::INNER)?, o.size(w::M)?, o.size(w::N)?, o.size(w::K)?];
    let [a_row, a_column, b_row, b_column] = [o.stride(w::A_ROW)?, o.stride(w::A_COLUMN)?, o.stride(w::B_ROW)?, o.stride(w::B_COLUMN)?];
    let [a0, a1, s0, s1] = [o.stride(w::A_OUTER)?, o.stride(w::A_INNER)?, o.stride(w::B_OUTER)?, o.stride(w::B_INNER)?];
    let a = o.strided(w::A, &[b0, b1, m, k], &[a0, a1, a_row, a_column])?;
    let b = o.strided(w::B, &[b0, b1, k, n], &[s0, s1, b_row, b_column])?;
    let ldc = usize::try_from(o.stride(w::C_ROW)?).map_err(|_| "rows of the result are apart by less than nothing")?;
    if ldc < n {
        return Err(format!("rows of {n} elements that are {ldc} apart"));
    }
    let batches = elements(&[b0, b1])?;
    let c = o.floats(w::C, elements(&[batches, m, ldc])?)?;
    let bias = o.optional(w::BIAS, n)?;
    // Matrices without elements name no memory that bounds how many there are.
    if m == 0 || n == 0 {
        return Ok(());
    }
    let whole =
        Product { activation: o.int(w::ACTIVATION)?, bias, a_row, a_column, b_row, b_column, ..Product::new(m, n, k, a, 0, b, 0, c, ldc) };
    // Shares are of whole matrices, or of rows or columns of the one matrix: never of the summed dimension.
    let (index, count) = (worker.index, worker.count);
    let (first, last) = if batches > 1 { worker.share(batches) } else { (0, batches) };
    for i in first..last {
        let mut p = whole;
        p.a = p.a.wrapping_offset((i / b1) as isize * a0 + (i % b1) as isize * a1);
        p.b = p.b.wrapping_offset((i / b1) as isize * s0 + (i % b1) as isize * s1);
        p.c = p.c.wrapping_add(i * m * ldc);
        if batches == 1 && count > 1 {
            if m >= n {
                let (r0, r1) = part(m, index, count);
                p.m = r1 - r0;
                p.a = p.a.wrapping_offset(r0 as isize * a_row);
                p.c = p.c.wrapping_add(r0 * ldc);
            } else {
                let (j0, j1) = worker.share_columns(n);
                p.n = j1 - j0;
                p.b = p.b.wrapping_offset(j0 as isize * b_column);
                p.c = p.c.wrapping_add(j0);
                if !p.bias.is_null() {
                    p.bias = p.bias.wrapping_add(j0);
                }
            }
        }
        // SAFETY: all elements of the whole product were checked to lie in memory, and workers' shares of C do not overlap.
        unsafe { gemm(s, &p, worker.products) };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{levels, Random};

    /// A B in float64.
    fn exact(p: &Product) -> Vec<f64> {
        let mut out = vec![0f64; p.m * p.n];
        for i in 0..p.m {
            for j in 0..p.n {
                for q in 0..p.k {
                    // SAFETY: the tests' matrices are as large as their sizes say.
                    let (x, y) = unsafe {
                        (
                            *p.a.offset(i as isize * p.a_row + q as isize * p.a_column),
                            *p.b.offset(q as isize * p.b_row + j as isize * p.b_column),
                        )
                    };
                    out[i * p.n + j] += f64::from(x) * f64::from(y);
                }
            }
        }
        out
    }

    /// What C is to become, by A B.
    fn wanted(p: &Product, exact: &[f64], before: &[f32]) -> Vec<f64> {
        let mut out = exact.to_vec();
        for i in 0..p.m {
            for j in 0..p.n {
                let sum = &mut out[i * p.n + j];
                if p.accumulate {
                    *sum += f64::from(before[i * p.ldc + j]);
                }
                if !p.bias.is_null() {
                    // SAFETY: the bias has n values.
                    *sum += f64::from(unsafe { *p.bias.add(j) });
                }
                *sum = match p.activation {
                    1 => sum.max(0.0),
                    2 => sum.tanh(),
                    3 => 1.0 / (1.0 + (-*sum).exp()),
                    _ => *sum,
                };
            }
        }
        out
    }

    #[test]
    fn products_of_all_kinds() {
        let mut random = Random::new(1);
        let sizes: &[(usize, usize, usize)] = if cfg!(miri) {
            &[(3, 5, 4), (7, 9, 2)]
        } else {
            &[
                (1, 1, 1),
                (1, 33, 7),
                (2, 16, 300),
                (3, 70, 5),
                (5, 8, 9),
                (6, 16, 16),
                (7, 17, 31),
                (13, 29, 64),
                (14, 32, 257),
                (15, 33, 3),
                (33, 300, 40),
                (64, 20, 520),
                (31, 1, 100),
                (100, 3, 17),
                (4, 1000, 2),
                (12, 48, 1),
                (29, 40, 0),
                (65, 270, 260),
            ]
        };
        for level in levels() {
            let mut scratch = Scratch::new();
            for &(m, n, k) in sizes {
                let a = random.floats(m * k + 1);
                let b = random.floats(n * k + 1);
                let bias = random.floats(n);
                // By the strides of A and B.
                let mut exacts: [Option<Vec<f64>>; 4] = Default::default();
                for variant in 0..16 {
                    let ldc = n + variant % 3;
                    let before = random.floats(m * ldc);
                    let mut c = before.clone();
                    let mut p = Product::new(m, n, k, a.as_ptr(), k, b.as_ptr(), n, c.as_mut_ptr(), ldc);
                    if variant & 1 != 0 {
                        p.a_row = m as isize;
                        p.a_row = 1;
                        p.a_column = m as isize;
                    }
                    if variant & 2 != 0 {
                        p.b_row = 1;
                        p.b_column = k as isize;
                    }
                    p.accumulate = variant & 4 != 0;
                    if !p.accumulate && variant & 8 != 0 {
                        p.bias = bias.as_ptr();
                        p.activation = (m % 4) as i32;
                    }
                    let exact = exacts[variant & 3].get_or_insert_with(|| exact(&p));
                    let wanted = wanted(&p, exact, &before);
                    // SAFETY: the matrices are as large as the product says.
                    crate::dispatch!(level, s => unsafe { gemm(s, &p, &mut scratch) });
                    for i in 0..m {
                        for j in 0..ldc {
                            let got = c[i * ldc + j];
                            if j >= n {
                                assert_eq!(got, before[i * ldc + j], "written beyond the columns");
                                continue;
                            }
                            let want = wanted[i * n + j];
                            let error = (f64::from(got) - want).abs();
                            assert!(error <= 1e-6 * (k as f64 + 4.0), "{} {m}x{n}x{k} variant {variant}: {got} for {want}", level.name());
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn parts_have_the_bits_of_the_whole() {
        let mut random = Random::new(2);
        let (m, n, k) = if cfg!(miri) { (9, 10, 5) } else { (37, 61, 300) };
        let (a, b) = (random.floats(m * k), random.floats(n * k));
        for level in levels() {
            let mut scratch = Scratch::new();
            let mut whole = vec![0f32; m * n];
            let p = Product::new(m, n, k, a.as_ptr(), k, b.as_ptr(), n, whole.as_mut_ptr(), n);
            // SAFETY: the matrices are as large as the product says.
            crate::dispatch!(level, s => unsafe { gemm(s, &p, &mut scratch) });
            for split in [1, 2, 5, 8] {
                let mut parts = vec![0f32; m * n];
                for (first, rows) in [(0, split), (split, m - split)] {
                    let part = Product { m: rows, a: a[first * k..].as_ptr(), c: parts[first * n..].as_mut_ptr(), ..p };
                    // SAFETY: rows of the same matrices.
                    crate::dispatch!(level, s => unsafe { gemm(s, &part, &mut scratch) });
                }
                assert_eq!(whole, parts, "{} split at {split}", level.name());
            }
        }
    }

    #[test]
    fn products_by_one_matrix_have_the_bits_of_each() {
        let mut random = Random::new(3);
        // Few rows; some products together, whole and in part; one at a time.
        let sizes: &[(usize, usize, usize, usize)] = if cfg!(miri) {
            &[(3, 5, 4, 3)]
        } else {
            &[(5, 40, 30, 3), (20, 33, 0, 2), (300, 40, 270, 5), (600, 300, 20, 2), (1100, 17, 9, 2)]
        };
        for level in levels() {
            let mut scratch = Scratch::new();
            for &(m, n, k, groups) in sizes {
                // Rows of A overlap, as windows of a sequence do.
                let (row, apart) = (k / 2 + 1, (m - 1) * (k / 2 + 1) + k + 3);
                let (a, b, bias) = (random.floats(groups * apart + k), random.floats(n * k), random.floats(n));
                for variant in 0..8 {
                    let before = random.floats(groups * (m + 1) * n);
                    let (mut all, mut each) = (before.clone(), before.clone());
                    let product = |a: &[f32], c: &mut [f32]| {
                        let mut p = Product::new(m, n, k, a.as_ptr(), row, b.as_ptr(), n, c.as_mut_ptr(), n).accumulate(variant & 1 != 0);
                        if variant & 2 != 0 {
                            (p.b_row, p.b_column) = (1, k as isize);
                        }
                        if variant & 5 == 4 {
                            (p.bias, p.activation) = (bias.as_ptr(), 1);
                        }
                        p
                    };
                    let whole = product(&a, &mut all).groups(groups, apart, (m + 1) * n);
                    // SAFETY: the matrices are as large as the product says.
                    crate::dispatch!(level, s => unsafe { gemm(s, &whole, &mut scratch) });
                    for (g, c) in each.chunks_exact_mut((m + 1) * n).enumerate() {
                        let one = product(&a[g * apart..], c);
                        // SAFETY: as above.
                        crate::dispatch!(level, s => unsafe { gemm(s, &one, &mut scratch) });
                    }
                    assert!(all == each, "{} {groups} of {m}x{n}x{k} variant {variant}", level.name());
                }
            }
        }
    }
}
