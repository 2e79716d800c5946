//! What the command line says of itself.

/// What `neap --version` prints.
pub const VERSION: &str = concat!("neap ", env!("CARGO_PKG_VERSION"), "\n");

/// What `neap --help` prints: at most 80 columns.
pub const HELP: &str = "\
neap fetches each video segment once, for every player on this device.

Usage:
  neap [FLAGS]                  run until SIGTERM; SIGHUP reads the files anew
  neap check [--quiet] [FLAGS]  print what is configured and where it came from
  neap status [--json] [FLAGS]  print how the running neap does
  neap standby [FLAGS]          have the running neap send nothing, set no timer
  neap wake [FLAGS]             end that; a player who asks does so too
  neap calibrate [FLAGS]        fit the power model to what a meter shows, line
                                by line; prints the keys for the configuration
  neap sharing on|off [FLAGS]   have the running neap share, or not, until told
                                otherwise
  neap ledger [--forget] [FLAGS]
                                print what was given and taken, or forget it
  neap switch --percent N --operator-key FILE [--days N] [FLAGS]
                                print the operator's word that N of 100 nodes
                                of the network share, for N days
  neap switch --apply LINE [FLAGS]
                                have the running neap obey it and pass it on
  neap key [--new] [FLAGS]      print this node's key, or make a new one
  neap admit NODE [--days N] [--key FILE] [FLAGS]
                                print an admission of the node with key NODE,
                                signed with this node's key or the one in FILE
  neap sign --key FILE [--origin NAME[=URL]] [--base URL-OR-PATH] PLACE...
                                make the records of media for 'publisher'; each
                                PLACE is a folder, a playlist or a media file
  neap reset [--yes] [FLAGS]    forget what is on disk, after asking

Flags:
  -c, --config FILE        read FILE and FILE.d/*.toml in place of
                           /etc/neap/neap.toml and /etc/neap/neap.toml.d/*.toml
      --origin [NAME=]URL  add an origin; without NAME it is called after its
                           host (may be repeated)
      --listen ADDR:PORT   listen for players here (may be repeated)
      --log-level LEVEL    error, warn, info, debug or trace
  -v, --verbose            the same as --log-level debug
  -q, --quiet              check: print only what is wrong or odd
      --json               status: print JSON
      --new                key: make a new key; the old one stays beside it
      --days N             admit, switch: for N days; 365 and 7 if not said
      --percent N          switch: so many of 100 nodes share, 0 to 100
      --operator-key FILE  switch: the operator's key, which 'neap key' made
      --key FILE           admit, sign: the operator's or publisher's key, which
                           'neap key' made
      --base URL-OR-PATH   sign: where PLACE lies at the origin
      --valid TIME         sign: how long the records count, '30 d' if not said
      --yes                reset: do not ask
  -h, --help               print this
  -V, --version            print the version

Example:
  neap --origin tv=https://cdn.example.com/live/
  A player then opens http://127.0.0.1:8642/tv/channel1/index.m3u8
  and gets https://cdn.example.com/live/channel1/index.m3u8.

Exit codes: 0 done, 70 fault in neap, 77 access refused, 78 wrong configuration
or command line. All keys of the file: /etc/neap/neap.toml.
";
