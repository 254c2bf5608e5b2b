// Numbers as the tools print them.

#include "tools/Output.h"

#include <gtest/gtest.h>

using namespace sinter;

TEST(Output, GroupsDigitsByThree) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(1234567890), "1,234,567,890");
  EXPECT_EQ(grouped(UINT64_MAX), "18,446,744,073,709,551,615");
}

TEST(Output, BytesInUnits) {
  EXPECT_EQ(inUnits(999), "999 bytes");
  EXPECT_EQ(inUnits(1024), "1.00 KiB");
  EXPECT_EQ(inUnits(uint64_t(5) << 29), "2.50 GiB");
  EXPECT_EQ(exactBytes(12), "12 bytes");
  EXPECT_EQ(exactBytes(1048576), "1,048,576 bytes (1.00 MiB)");
}

TEST(Output, FourDigitsThatCount) {
  EXPECT_EQ(rounded(0.123456), "0.1235");
  EXPECT_EQ(rounded(12.3456), "12.35");
  EXPECT_EQ(rounded(123.456), "123.5");
  EXPECT_EQ(rounded(12345.6), "12346");
}
