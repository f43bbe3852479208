//! Which part of an image is taken, and how large it becomes.
//!
//! Invariant: nothing becomes larger than it was, than was asked for, or than the settings allow; no side is ever nothing. All of it is
//! computed in whole numbers.

use super::wanted::Resize;

/// A width and a height.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Size {
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// What is taken of an image, and what size that gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Shape {
    pub(crate) left: u32,
    pub(crate) top: u32,
    pub(crate) taken: Size,
    pub(crate) made: Size,
}

/// Says what becomes of an image.
pub(crate) fn shape(source: Size, (width, height): (Option<u32>, Option<u32>), resize: Resize, side_max: u32) -> Shape {
    let shape = match (width, height, resize) {
        (Some(width), Some(height), Resize::Cover) => cover(source, Size { width, height }),
        (None, None, _) => whole(source, source),
        (width, height, Resize::Fill) => {
            let made =
                Size { width: width.unwrap_or(source.width).min(source.width), height: height.unwrap_or(source.height).min(source.height) };
            whole(source, made)
        }
        (width, height, Resize::Cover | Resize::Contain) => {
            whole(source, within(source, Size { width: width.unwrap_or(u32::MAX), height: height.unwrap_or(u32::MAX) }))
        }
    };
    Shape { made: within(shape.made, Size { width: side_max, height: side_max }), ..shape }
}

fn whole(source: Size, made: Size) -> Shape {
    Shape { left: 0, top: 0, taken: source, made }
}

/// Fills a box from the middle of the image; one that is too small for it gives what it has.
fn cover(source: Size, wanted: Size) -> Shape {
    // Which side needs the larger factor decides for both.
    let by_width = product(wanted.width, source.height) >= product(wanted.height, source.width);
    let (to, from) = if by_width { (wanted.width, source.width) } else { (wanted.height, source.height) };
    let (to, from) = if to >= from { (1, 1) } else { (to, from) };
    let made = Size { width: scaled(source.width, to, from).min(wanted.width), height: scaled(source.height, to, from).min(wanted.height) };
    let taken = Size { width: scaled(made.width, from, to).min(source.width), height: scaled(made.height, from, to).min(source.height) };
    Shape { left: (source.width - taken.width) / 2, top: (source.height - taken.height) / 2, taken, made }
}

/// The largest size of the same shape inside a box, at most the size itself.
fn within(source: Size, space: Size) -> Size {
    let by_width = product(space.width, source.height) <= product(space.height, source.width);
    let (to, from) = if by_width { (space.width, source.width) } else { (space.height, source.height) };
    if to >= from { source } else { Size { width: scaled(source.width, to, from), height: scaled(source.height, to, from) } }
}

fn product(left: u32, right: u32) -> u64 {
    u64::from(left).saturating_mul(u64::from(right))
}

/// A side times a factor, to the nearest, at least one.
fn scaled(side: u32, to: u32, from: u32) -> u32 {
    let from = u64::from(from.max(1));
    let exact = product(side, to).saturating_add(from / 2) / from;
    u32::try_from(exact).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn made(source: (u32, u32), wanted: (Option<u32>, Option<u32>), resize: Resize) -> (u32, u32) {
        let shape = shape(Size { width: source.0, height: source.1 }, wanted, resize, 2500);
        (shape.made.width, shape.made.height)
    }

    #[test]
    fn sizes_are_as_asked_for() {
        assert_eq!(made((1000, 500), (Some(200), Some(200)), Resize::Cover), (200, 200));
        assert_eq!(made((1000, 500), (Some(200), Some(200)), Resize::Contain), (200, 100));
        assert_eq!(made((1000, 500), (Some(200), Some(200)), Resize::Fill), (200, 200));
        assert_eq!(made((1000, 500), (Some(200), None), Resize::Cover), (200, 100));
        assert_eq!(made((1000, 500), (None, Some(50)), Resize::Contain), (100, 50));
        assert_eq!(made((1000, 500), (Some(200), None), Resize::Fill), (200, 500));
        assert_eq!(made((1000, 500), (None, None), Resize::Cover), (1000, 500));
        assert_eq!(made((5000, 10), (None, None), Resize::Cover), (2500, 5));
    }

    #[test]
    fn nothing_becomes_larger_and_no_side_nothing() {
        assert_eq!(made((100, 50), (Some(200), Some(200)), Resize::Cover), (100, 50));
        assert_eq!(made((100, 50), (Some(200), Some(20)), Resize::Cover), (100, 20));
        assert_eq!(made((100, 50), (Some(2000), None), Resize::Contain), (100, 50));
        assert_eq!(made((100, 50), (Some(2000), Some(2000)), Resize::Fill), (100, 50));
        assert_eq!(made((60_000, 1), (Some(10), None), Resize::Contain), (10, 1));
    }

    #[test]
    fn the_middle_is_taken() {
        let shape = shape(Size { width: 1000, height: 500 }, (Some(100), Some(100)), Resize::Cover, 2500);
        assert_eq!((shape.left, shape.top, shape.taken), (250, 0, Size { width: 500, height: 500 }));
    }

    proptest! {
        #[test]
        fn every_shape_lies_inside(width in 1u32..70_000, height in 1u32..70_000, w in proptest::option::of(1u32..2500),
                                   h in proptest::option::of(1u32..2500), resize in 0..3) {
            let resize = match resize { 0 => Resize::Cover, 1 => Resize::Contain, _ => Resize::Fill };
            let shape = shape(Size { width, height }, (w, h), resize, 2500);
            prop_assert!(shape.taken.width >= 1 && shape.taken.height >= 1 && shape.made.width >= 1 && shape.made.height >= 1);
            prop_assert!(shape.left + shape.taken.width <= width && shape.top + shape.taken.height <= height);
            prop_assert!(shape.made.width <= width.min(2500) && shape.made.height <= height.min(2500));
            prop_assert!(w.is_none_or(|w| shape.made.width <= w) || resize == Resize::Cover && h.is_none());
        }
    }
}
