// The text format of potentials: sections of `key = value` lines, with line numbers for errors.
#pragma once

#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <locale>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "error.hpp"

namespace panna {

struct IniValue {
  std::string text;
  int line;
};

class IniFile;

// One section; asks for keys by name and type, and complains with file and line.
class IniSection {
 public:
  IniSection(std::string file, std::string name, int line)
      : file_(std::move(file)), name_(std::move(name)), line_(line) {}

  const std::string& name() const { return name_; }
  bool has(const std::string& key) const { return values_.count(key) > 0; }

  std::string text(const std::string& key) const {
    const auto it = values_.find(key);
    if (it == values_.end())
      throw Error(file_ + " [" + name_ + "] (line " + std::to_string(line_) + "): key " + key +
                  " is missing");
    used_[key] = true;
    if (it->second.text.empty()) fail(key, "a value expected");
    return it->second.text;
  }

  std::vector<double> reals(const std::string& key) const {
    std::vector<double> numbers;
    for (const std::string& item : items(key)) {
      const double x = number(item);
      if (!std::isfinite(x)) fail(key, "a number or a comma-separated list of numbers expected");
      numbers.push_back(x);
    }
    return numbers;
  }

  std::vector<int> integers(const std::string& key) const {
    std::vector<int> numbers;
    for (double x : reals(key)) {
      if (std::floor(x) != x || std::fabs(x) > 1e9) fail(key, "whole numbers expected");
      numbers.push_back(static_cast<int>(x));
    }
    return numbers;
  }

  std::vector<std::string> items(const std::string& key) const {
    std::string value = text(key);
    if (!value.empty() && value.front() == '[') {
      if (value.back() != ']') fail(key, "a closing bracket expected");
      value = value.substr(1, value.size() - 2);
    }
    std::vector<std::string> out;
    std::stringstream stream(value);
    for (std::string item; std::getline(stream, item, ',');) out.push_back(item);
    if (out.empty() || value.back() == ',') fail(key, "a value expected behind the last comma");
    return out;
  }

  double real(const std::string& key) const { return one(key, reals(key)); }
  int integer(const std::string& key) const { return one(key, integers(key)); }

  // A number of centres, angles or layers; a larger one is a damaged file.
  int count(const std::string& key) const {
    const int n = integer(key);
    if (n < 1 || n > 100000) fail(key, "a whole number from 1 to 100000 expected");
    return n;
  }

  [[noreturn]] void fail(const std::string& key, const std::string& expected) const {
    const auto it = values_.find(key);
    const std::string where =
        it == values_.end() ? std::to_string(line_) : std::to_string(it->second.line);
    const std::string found = it == values_.end() ? "" : " = " + it->second.text;
    throw Error(file_ + ", line " + where + ", [" + name_ + "] " + key + found + ": " + expected);
  }

  // Keys that nobody asked for are misspelt or come from a newer version: never ignored.
  void check_all_used() const {
    for (const auto& entry : values_)
      if (used_.count(entry.first) == 0)
        fail(entry.first,
             "unknown key; correct it, or use the version of PANNA that wrote the file");
  }

 private:
  friend class IniFile;

  // Independent of the locale that the host program has set; nan if `text` is no number.
  static double number(const std::string& text) {
    std::istringstream stream(text);
    stream.imbue(std::locale::classic());
    double x = 0.0;
    stream >> x;
    return stream && stream.peek() == std::istringstream::traits_type::eof()
               ? x
               : std::numeric_limits<double>::quiet_NaN();
  }

  template <class T>
  T one(const std::string& key, const std::vector<T>& numbers) const {
    if (numbers.size() != 1) fail(key, "one number expected");
    return numbers[0];
  }

  std::string file_, name_;
  int line_;
  std::map<std::string, IniValue> values_;
  mutable std::map<std::string, bool> used_;
};

// Blanks and tabs do not count, lines that start with # are comments, `key = value # text` is
// cut at the #. Windows line ends, a byte order mark and a last line without an end are fine.
class IniFile {
 public:
  explicit IniFile(const std::string& path) : path_(path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw Error(path + ": cannot be opened: " + std::strerror(errno));
    std::string line;
    int number = 0;
    while (std::getline(file, line)) {
      if (++number == 1 && line.compare(0, 3, "\xef\xbb\xbf") == 0) line.erase(0, 3);
      std::string text;
      for (char c : line) {
        if (c == '#') break;
        if (c == '\0') throw Error(at(number) + "a zero byte found: not a text file");
        if (c != ' ' && c != '\t' && c != '\r') text += c;
      }
      if (text.empty()) continue;
      if (text.front() == '[') {
        if (text.back() != ']' || text.size() < 3)
          throw Error(at(number) + "section header " + text + ": [NAME] expected");
        open_section(text.substr(1, text.size() - 2), number);
        continue;
      }
      const std::size_t equal = text.find('=');
      if (equal == std::string::npos || equal == 0)
        throw Error(at(number) + "\"" + line.substr(0, 60) + "\": key = value expected");
      const std::string key = text.substr(0, equal), value = text.substr(equal + 1);
      if (key.front() == '!') {
        if (key != "!gversion")
          throw Error(at(number) + key + ": unknown version line; !gversion = 0 or 1 expected");
        if (!gversion_.text.empty()) throw Error(at(number) + "!gversion is given twice");
        if (value != "0" && value != "1")
          throw Error(at(number) + "!gversion = " + value + ": 0 or 1 expected");
        gversion_ = {value, number};
        continue;
      }
      if (sections_.empty())
        throw Error(at(number) + "key " + key + " comes before the first [SECTION]");
      if (!sections_.back().values_.insert({key, {value, number}}).second)
        throw Error(at(number) + "key " + key + " is given twice in [" + sections_.back().name_ +
                    "]");
    }
    if (file.bad()) throw Error(path + ": reading failed");
    if (sections_.empty()) throw Error(path + ": the file is empty or has no [SECTION]");
  }

  const std::string& path() const { return path_; }
  const std::vector<IniSection>& sections() const { return sections_; }

  bool has(const std::string& name) const { return find(name) != nullptr; }

  const IniSection& section(const std::string& name) const {
    if (const IniSection* s = find(name)) return *s;
    throw Error(path_ + ": section [" + name + "] is missing");
  }

  // 0: single values, centres by steps; 1: lists.
  int gversion() const { return gversion_.text == "1" ? 1 : 0; }

 private:
  std::string at(int line) const { return path_ + ", line " + std::to_string(line) + ": "; }

  const IniSection* find(const std::string& name) const {
    for (const IniSection& s : sections_)
      if (s.name_ == name) return &s;
    return nullptr;
  }

  void open_section(const std::string& name, int line) {
    if (has(name)) throw Error(at(line) + "section [" + name + "] is given twice");
    sections_.emplace_back(path_, name, line);
  }

  std::string path_;
  std::vector<IniSection> sections_;
  IniValue gversion_{"", 0};
};

}  // namespace panna
