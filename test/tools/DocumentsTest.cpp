// How eval files divide into documents.

#include "tools/Documents.h"

#include <gtest/gtest.h>

using sinter::splitDocuments;
using Documents = std::vector<std::string>;

TEST(Documents, SeparatorLinesAndTheirLineBreaksAreNotText) {
  EXPECT_EQ(splitDocuments("one\n<|end|>\ntwo\nlines\n<|end|>\nthree\n"), (Documents{"one", "two\nlines", "three"}));
}

TEST(Documents, TheLastLineNeedsNoBreak) { EXPECT_EQ(splitDocuments("one\n<|end|>\ntwo"), (Documents{"one", "two"})); }

TEST(Documents, OnlyWholeLinesSeparate) {
  EXPECT_EQ(splitDocuments("a <|end|>\n<|end|> b\n"), (Documents{"a <|end|>\n<|end|> b"}));
}

TEST(Documents, EmptyOnesAreLeftOut) {
  EXPECT_EQ(splitDocuments("<|end|>\n\n<|end|>\none\n<|end|>\n"), (Documents{"one"}));
  EXPECT_EQ(splitDocuments(""), Documents());
}

TEST(Documents, OtherLineBreaksInTheTextStay) {
  EXPECT_EQ(splitDocuments("\n one\n\n\n<|end|>\r\ntwo\r\n"), (Documents{"\n one\n\n", "two"}));
}
