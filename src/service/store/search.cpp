// Full-text search. What a person types is data: each word becomes a quoted string of FTS5's
// language, in which nothing but a quote means anything.

#include <algorithm>
#include <string_view>

#include "service/store/store_tables.h"
#include "service/store/store_text.h"
#include "service/store/uuid.h"

namespace notso {
namespace {

// More words than this narrow nothing down.
constexpr std::size_t kWordsMax = 32;

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// All of the words, the last one as the beginning of a word; "" where there is none.
std::string match_expression(std::string_view text) {
  std::string out;
  std::size_t words = 0;
  std::size_t at = 0;
  while (words < kWordsMax) {
    while (at < text.size() && is_space(text[at])) ++at;
    if (at == text.size()) break;
    if (words++ > 0) out += ' ';
    out += '"';
    for (; at < text.size() && !is_space(text[at]); ++at) {
      if (text[at] == '"') out += '"';
      out += text[at];
    }
    out += '"';
  }
  return words == 0 ? out : out + "*";
}

// FTS5 marks the words with texts that occur in no message, since nobody knows them; they become
// the two marks of the interface, and what looked like these becomes a space.
std::string with_marks(std::string text, std::string_view open, std::string_view close) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\x02' || c == '\x03'; }, ' ');
  for (const auto& [word, mark] : {std::pair{open, '\x02'}, std::pair{close, '\x03'}}) {
    for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at)) {
      text.replace(at, word.size(), 1, mark);
    }
  }
  return text;
}

}  // namespace

Result<std::vector<SearchHit>> StoreTables::search(const std::string& owner,
                                                   const std::string& query, std::int32_t limit) {
  auto fits = check_size("the search", query.size(), limits.query_bytes_max);
  if (!fits) return pass_on(fits);
  std::vector<SearchHit> out;
  const std::string expression = match_expression(clean_text(query));
  if (expression.empty()) return out;
  auto secret = new_secret_id(unix_ms());
  if (!secret) return pass_on(secret);
  const std::string open = *secret + "(";
  const std::string close = *secret + ")";
  SqliteQuery rows = database.query(
      "SELECT c.id, c.title, max(found.rowid, 0), snippet(found, 0, ?1, ?2, '…', 16)"
      " FROM found"
      " LEFT JOIN message m ON m.id = found.rowid"
      " JOIN conversation c ON c.key = coalesce(m.conversation, -found.rowid)"
      " WHERE found MATCH ?3 AND c.owner = ?4 AND c.deleted_ms = 0"
      " ORDER BY found.rowid > 0, found.rank LIMIT ?5",
      open, close, expression, owner, std::int64_t{std::clamp(limit, 0, limits.rows_max)});
  while (rows.next()) {
    out.push_back(
        {rows.text(0), rows.text(1), rows.integer(2), with_marks(rows.text(3), open, close)});
  }
  if (!rows.status()) return tl::unexpected(rows.status().error());
  return out;
}

}  // namespace notso
