//! Convolution over time, [batch, time, channels] with a kernel [size, channels, filters], and its two gradients, as products of matrices
//! that are never laid out: the windows of a sequence are rows that overlap, a stride of channels apart. Padding has been added before.

use super::gemm::{gemm, Product};
use crate::memory::{elements, Checked, Operands};
use crate::simd::Simd;
use crate::team::{part, Worker};

/// [batch, time, channels, windows, filters, size, stride, dilation, ...]
struct Sizes {
    batch: usize,
    time: usize,
    channels: usize,
    windows: usize,
    filters: usize,
    size: usize,
    stride: usize,
    dilation: usize,
}

impl Sizes {
    fn read(o: &Operands) -> Checked<Sizes> {
        use crate::commands::word::convolution as w;
        let [batch, time, channels, windows] = [o.size(w::BATCH)?, o.size(w::TIME)?, o.size(w::CHANNELS)?, o.size(w::WINDOWS)?];
        let [filters, size, stride, dilation] = [o.size(w::FILTERS)?, o.size(w::SIZE)?, o.size(w::STRIDE)?, o.size(w::DILATION)?];
        if batch > 0 && windows > 0 && size > 0 && (windows - 1) * stride + (size - 1) * dilation >= time {
            return Err(format!("{windows} windows of {size} leave a sequence of {time} steps"));
        }
        Ok(Sizes { batch, time, channels, windows, filters, size, stride, dilation })
    }
    fn sequence(&self) -> Checked<usize> {
        elements(&[self.batch, self.time, self.channels])
    }
    fn results(&self) -> Checked<usize> {
        elements(&[self.batch, self.windows, self.filters])
    }
    fn weights(&self) -> Checked<usize> {
        elements(&[self.size, self.channels, self.filters])
    }
}

/// A worker's share: of the samples, or of a line of `size` in each of them, in whole tiles; never of what is summed.
fn share(batch: usize, size: usize, tile: usize, worker: &Worker) -> (usize, usize, usize, usize) {
    if batch >= worker.count {
        let (first, last) = worker.share(batch);
        return (first, last, 0, size);
    }
    let (start, end) = line(size, tile, worker);
    (0, batch, start, end)
}

fn line(size: usize, tile: usize, worker: &Worker) -> (usize, usize) {
    let (start, end) = part(size.div_ceil(tile), worker.index, worker.count);
    ((start * tile).min(size), (end * tile).min(size))
}

/// [..., x, kernel, y]
pub fn forward<S: Simd>(s: S, worker: &mut Worker, o: &Operands) -> Checked<()> {
    use crate::commands::word::convolution as w;
    let z = Sizes::read(o)?;
    let (x, w, y) = (o.floats(w::X, z.sequence()?)?, o.floats(w::KERNEL, z.weights()?)?, o.floats(w::Y, z.results()?)?);
    let (first, last, start, end) = share(z.batch, z.windows, 6, worker);
    // The elements of a window lie side by side unless it is dilated: then each of its steps is a product.
    let (parts, depth) = if z.dilation == 1 { (1, z.size * z.channels) } else { (z.size, z.channels) };
    for j in 0..parts {
        // SAFETY: sequence, kernel and result were checked to lie in memory, and all windows to lie in the sequence.
        unsafe {
            let a = x.wrapping_add((first * z.time + start * z.stride + j * z.dilation) * z.channels);
            let c = y.wrapping_add((first * z.windows + start) * z.filters);
            let kernel = w.add(j * z.channels * z.filters);
            let p = Product::new(end - start, z.filters, depth, a, z.stride * z.channels, kernel, z.filters, c, z.filters);
            let all = p.groups(last - first, z.time * z.channels, z.windows * z.filters);
            gemm(s, &all.accumulate(j > 0), worker.products);
        }
    }
    Ok(())
}

/// [..., gradient of y, kernel, gradient of x]
pub fn input<S: Simd>(s: S, worker: &mut Worker, o: &Operands) -> Checked<()> {
    use crate::commands::word::convolution_input as w;
    let z = Sizes::read(o)?;
    let (g, w, dx) = (o.floats(w::GRADIENT, z.results()?)?, o.floats(w::KERNEL, z.weights()?)?, o.floats(w::DX, z.sequence()?)?);
    let (first, last, start, end) = share(z.batch, z.channels, 16, worker);
    if start >= end {
        return Ok(());
    }
    // SAFETY: as above; windows that overlap are added one step of the kernel after the other.
    unsafe {
        for row in first * z.time..last * z.time {
            std::ptr::write_bytes(dx.add(row * z.channels + start), 0, end - start);
        }
        for j in 0..z.size {
            let a = g.wrapping_add(first * z.windows * z.filters);
            let kernel = w.add((j * z.channels + start) * z.filters);
            let c = dx.wrapping_add((first * z.time + j * z.dilation) * z.channels + start);
            let p = Product::new(z.windows, end - start, z.filters, a, z.filters, kernel, z.filters, c, z.stride * z.channels);
            let all = p.groups(last - first, z.windows * z.filters, z.time * z.channels);
            gemm(s, &all.transpose_b().accumulate(true), worker.products);
        }
    }
    Ok(())
}

/// [..., x, gradient of y, gradient of the kernel]
pub fn kernel<S: Simd>(s: S, worker: &mut Worker, o: &Operands) -> Checked<()> {
    use crate::commands::word::convolution_kernel as w;
    let z = Sizes::read(o)?;
    let (x, g, dw) = (o.floats(w::X, z.sequence()?)?, o.floats(w::GRADIENT, z.results()?)?, o.floats(w::D_KERNEL, z.weights()?)?);
    let (parts, rows) = if z.dilation == 1 { (1, z.size * z.channels) } else { (z.size, z.channels) };
    let (start, end) = line(rows, 6, worker);
    if start >= end {
        return Ok(());
    }
    for j in 0..parts {
        // SAFETY: as above; workers have different rows of the gradient.
        unsafe {
            let to = dw.add((j * rows + start) * z.filters);
            if z.batch == 0 || z.windows == 0 {
                std::ptr::write_bytes(to, 0, (end - start) * z.filters);
                continue;
            }
            for b in 0..z.batch {
                let a = x.add((b * z.time + j * z.dilation) * z.channels + start);
                let p = Product::new(
                    end - start,
                    z.filters,
                    z.windows,
                    a,
                    z.stride * z.channels,
                    g.add(b * z.windows * z.filters),
                    z.filters,
                    to,
                    z.filters,
                );
                gemm(s, &p.transpose_a().accumulate(b > 0), worker.products);
            }
        }
    }
    Ok(())
}
