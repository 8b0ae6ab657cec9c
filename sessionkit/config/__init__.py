"""Configuration: profiles in `sessions.yaml`, the environment, and where each value came from.

    # sessions.yaml
    acme-dns:
      backend: dyn                          # an entry point of the group "sessionkit.backends"
      customer: acme                        # everything else is an argument of its constructor
      username: ann
      password: {env: DYN_PASSWORD}

    session = sessionkit.connect("acme-dns")

A file is looked for in `$SESSIONKIT_CONFIG`; if that is not set, in `./sessions.yaml` and then in the user's
configuration directory (`$XDG_CONFIG_HOME`, `%APPDATA%` on Windows, else `~/.config`; there
`sessionkit/sessions.yaml`). Of two profiles of one name the first found counts, as a whole.

A value stands as it is, or says where it is:

| form | is |
|---|---|
| `{env: NAME}` | the environment variable NAME |
| `{file: path}` | the content of a file, without its last line break; relative to the profile's own file |
| `{keyring: name}` | the password that the system's keyring has for service "sessionkit" and user `name` |
| `{encrypted: text}` | what `sessionkit.secrets.encrypt` made, with `$SESSIONKIT_KEY` |

They are looked up when the profile is used, so one missing variable does not spoil the others' profiles. A
name that begins with a dot is no profile but a place for YAML anchors.

A backend's own settings, with their environment variables, are resolved by `resolve`.
"""

from sessionkit.config.profiles import Profile, load_profiles, profile, profile_paths
from sessionkit.config.settings import Setting, resolve
from sessionkit.config.values import Value

__all__ = ["Profile", "Setting", "Value", "load_profiles", "profile", "profile_paths", "resolve"]
