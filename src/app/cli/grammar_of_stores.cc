// What the command line may say of backups and archives.

#include "app/cli/grammar.h"

namespace steward::app {

void Grammar::add_backup() {
  CLI::App* backup = group("backup", "backups of databases: list, verify, restore");
  CLI::App* list = command(backup, "list", "all that are whole, with what is proved of each",
                           [this](const Output& output) { return backup_list_command(output, backup_list_); });
  list->add_option("--task", backup_list_.task, "of this policy alone");
  CLI::App* verify = command(backup, "verify", "read a backup, or restore it into a throwaway server, and compare",
                             [this](const Output& output) { return backup_verify_command(output, backup_verify_); });
  verify->add_option("ID", backup_verify_.backup, "which: its id, a beginning of it, or latest")->capture_default_str();
  verify->add_option("--task", backup_verify_.task, "the policy, where there are several");
  verify->add_option("--depth", backup_verify_.depth, "bytes: every object is read and hashed; restore: and restored")
      ->check(CLI::IsMember({"bytes", "restore"}))
      ->capture_default_str();
  verify->add_option("--to", backup_verify_.to, "restore into this empty database, instead of a throwaway server");
  verify->add_option("--identity", backup_verify_.identity, "the file of the secret key of age");
  verify->add_flag("--copy", backup_verify_.copy, "its copy in the second store (copy_to)");
  verify->footer("Example:\n  steward backup verify latest --depth restore");
  CLI::App* restore =
      command(backup, "restore", "bring a backup back into an empty database; says first what it would do",
              [this](const Output& output) { return backup_restore_command(output, backup_restore_); });
  restore->add_option("ID", backup_restore_.backup, "which: its id, a beginning of it, or latest")->required();
  restore->add_option("--to", backup_restore_.to, "the database: a URL; of pgBackRest the cluster's folder");
  restore->add_option("--at", backup_restore_.at, "pgBackRest: recovered to this moment, as 2026-11-30T01:30:00Z");
  restore->add_option("--task", backup_restore_.task, "the policy, where there are several");
  restore->add_option("--table", backup_restore_.tables, "this table alone, with its indexes; may be repeated");
  restore->add_option("--jobs", backup_restore_.jobs, "so many at once; else as many as there are processors, up to 8")
      ->check(CLI::Range(1, 64));
  restore->add_option("--identity", backup_restore_.identity, "the file of the secret key of age");
  restore->add_flag("--copy", backup_restore_.copy, "from its copy in the second store (copy_to)");
  restore->add_flag("--plan", backup_restore_.plan_only, "only say what it would do");
  restore->add_flag("--into-existing", backup_restore_.into_existing, "also into a database that is not empty");
  restore->add_flag("--globals", backup_restore_.globals, "roles and tablespaces first");
  restore->add_flag("--no-owner", backup_restore_.no_owner, "all belongs to who restores");
  restore->add_flag("--no-privileges", backup_restore_.no_privileges, "without GRANTs");
  restore->add_flag("--no-compare", backup_restore_.no_compare, "do not compare what was restored with the backup");
  restore->footer(
      "Examples:\n  steward backup restore latest --to postgresql://postgres@db/app_restored\n"
      "  steward backup restore 20261129T0000 --to postgresql://postgres@db/scratch --table signals");
}

void Grammar::add_archive() {
  CLI::App* archive = group("archive", "what was archived: list, show, file, verify, restore, forget");
  command(archive, "list", "what lies in cold storage, by run", archive_list_command);
  CLI::App* show = command(archive, "show", "look at rows in cold storage, the newest run's first",
                           [this](const Output& output) { return archive_show_command(output, archive_show_); });
  show->add_option("--run", archive_show_.run, "what this run archived");
  show->add_option("--table", archive_show_.table, "rows of this table");
  show->add_option("--key", archive_show_.key, "the row of this primary key");
  show->add_option("--match", archive_show_.match, "in whose key, values or file name this stands");
  show->add_option("--limit", archive_show_.limit, "at most so many (50)")->check(CLI::Range(1, 500));
  show->add_option("--after", archive_show_.after, "go on behind a page: its `next`");
  show->footer(
      "Examples:\n  steward archive show --table mockups --match poster\n  steward archive show --run 20261123");
  CLI::App* file = command(archive, "file", "write the bytes of an archived file, checked, to standard output",
                           [this](const Output& output) { return archive_file_command(output, archive_file_); });
  file->add_option("--table", archive_file_.table, "of a row of this table");
  file->add_option("--key", archive_file_.key, "with this primary key");
  file->add_option("--archive", archive_file_.archive, "which archive, where there are several");
  file->add_option("--copy", archive_file_.copy, "its name there, as `archive show --json` gives it,");
  file->add_option("--sha256", archive_file_.sha256, "and its hash")->needs("--copy");
  file->add_option("--most", archive_file_.most, "refuse more bytes than these");
  file->footer("Example:\n  steward archive file --table mockups --key 17 > mockup-17.png");
  command(archive, "verify", "read every copy and compare it with its manifest", archive_verify_command);
  CLI::App* restore = command(archive, "restore", "bring back files and rows; nothing is overwritten",
                              [this](const Output& output) { return archive_restore_command(output, restore_); });
  restore->add_flag("--all", restore_.all, "everything");
  restore->add_option("--run", restore_.run, "what this run archived");
  restore->add_option("--table", restore_.table, "rows of this table");
  restore->add_option("--key", restore_.keys, "these rows alone, by primary key")->allow_extra_args(false);
  restore->footer(
      "Examples:\n  steward archive restore --all\n  steward archive restore --table mockups --key 17 --key 18");
  add_forget(archive);
}

void Grammar::add_forget(CLI::App* archive) {
  CLI::App* forget =
      command(archive, "forget", "remove single rows from the archive for good; says first what it would do",
              [this](const Output& output) { return archive_forget_command(output, forget_); });
  forget->add_option("--table", forget_.table, "rows of this table")->required();
  forget->add_option("--key", forget_.keys, "with this primary key")->required()->allow_extra_args(false);
  forget->add_option("--reason", forget_.reason, "why; it stays in the manifest and the ledger")->required();
  forget->add_flag("--yes", forget_.yes, "do it");
  forget->footer("Example:\n  steward archive forget --table mockups --key 17 --reason \"request 81\" --yes");
}

}  // namespace steward::app
