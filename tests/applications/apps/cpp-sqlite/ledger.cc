#include <sqlite3.h>

#include <iostream>
#include <regex>
#include <string>

int main(int count, char **arguments) {
  if (count != 2 || !std::regex_match(arguments[1], std::regex("[0-9]+"))) return 2;
  sqlite3 *database;
  sqlite3_open(":memory:", &database);
  std::string query = "SELECT 6 * " + std::string(arguments[1]);
  sqlite3_exec(database, query.c_str(), [](void *, int, char **row, char **) {
    std::cout << "ledger: " << row[0] << std::endl;
    return 0;
  }, nullptr, nullptr);
  sqlite3_close(database);
  return 0;
}
