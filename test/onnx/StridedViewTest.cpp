// Views: what reshapes, transposes, slices and expansions leave of a tensor, against doing them with elements.

#include "frontend/onnx/Dim.h"
#include "frontend/onnx/trace/StridedView.h"

#include <gtest/gtest.h>

using sinter::onnx_import::ImportError;
using sinter::onnx_import::StridedView;

// Places of all elements, in row-major order.
static std::vector<int64_t> places(const StridedView &view) {
  std::vector<int64_t> result = {view.offset};
  for (const StridedView::Axis &axis : view.axes)
    for (const StridedView::Part &part : axis) {
      std::vector<int64_t> next;
      for (int64_t at : result)
        for (int64_t i = 0; i < part.size; ++i)
          next.push_back(at + i * part.stride);
      result = next;
    }
  return result;
}

TEST(StridedView, HeadsAreRowsSeenDifferently) {
  // [1, 5 tokens, 2 heads * 3] -> [1, 2, 5, 3]
  const StridedView rows = StridedView::rowMajor({1, 5, 6});
  const StridedView heads = rows.reshaped({1, 5, 2, 3}).transposed({0, 2, 1, 3});
  EXPECT_EQ(heads.shape(), (std::vector<int64_t>{1, 2, 5, 3}));
  EXPECT_FALSE(heads.isContiguous());
  EXPECT_EQ(places(heads)[3], 6);      // head 0, token 1
  EXPECT_EQ(places(heads)[15], 3);     // head 1, token 0
  const StridedView back = heads.transposed({0, 2, 1, 3}).reshaped({1, 5, 6});
  EXPECT_TRUE(back == rows);
  EXPECT_TRUE(back.isContiguous());
}

TEST(StridedView, RepeatedHeadsAreOneAxis) {
  // Two heads, each three times, as exporters repeat keys: unsqueeze, expand, reshape.
  const StridedView keys = StridedView::rowMajor({5, 2, 4}).transposed({1, 0, 2}).reshaped({1, 2, 1, 5, 4});
  const StridedView repeated = keys.expanded({1, 2, 3, 5, 4}).reshaped({1, 6, 5, 4});
  ASSERT_EQ(repeated.axes[1].size(), 2u);
  EXPECT_EQ(repeated.axes[1][0], (StridedView::Part{2, 4}));
  EXPECT_EQ(repeated.axes[1][1], (StridedView::Part{3, 0}));
  EXPECT_EQ(places(repeated)[20 * 2], 0);     // head 2 is head 0 of the keys
  EXPECT_EQ(places(repeated)[20 * 3], 4);     // head 3 is head 1
}

TEST(StridedView, SlicesMoveTheOffset) {
  const StridedView half = StridedView::rowMajor({1, 7, 8}).sliced(2, 4, 4);
  EXPECT_EQ(half.offset, 4);
  EXPECT_EQ(half.shape(), (std::vector<int64_t>{1, 7, 4}));
  EXPECT_EQ(places(half)[4], 12);
  EXPECT_EQ(StridedView::rowMajor({3, 4}).sliced(0, 2, 1).shape(), (std::vector<int64_t>{1, 4}));
}

TEST(StridedView, WhatWouldHaveToBeCopiedIsAnError) {
  const StridedView transposed = StridedView::rowMajor({4, 6}).transposed({1, 0});
  EXPECT_THROW(transposed.reshaped({4, 6}), ImportError);
  EXPECT_THROW(transposed.reshaped({5, 5}), ImportError);
  EXPECT_THROW(transposed.transposed({0, 0}), ImportError);
  EXPECT_THROW(transposed.sliced(0, 5, 2), ImportError);
  EXPECT_THROW(transposed.expanded({6, 5}), ImportError);
  EXPECT_EQ(transposed.reshaped({2, 3, 4}).shape(), (std::vector<int64_t>{2, 3, 4}));
}
