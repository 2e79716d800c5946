################################################################################
#
# neap
#
################################################################################

NEAP_VERSION = 0.1.0
# Where the releases lie, NEAP_RELEASES, or a tree, NEAP_OVERRIDE_SRCDIR: local.mk says one of them.
NEAP_SITE = $(or $(call qstrip,$(NEAP_RELEASES)),$(NEAP_OVERRIDE_SRCDIR))
NEAP_LICENSE = Apache-2.0 or MIT
NEAP_LICENSE_FILES = LICENSE-APACHE LICENSE-MIT cross/third-party.txt
NEAP_CPE_ID_VENDOR = neap

ifeq ($(BR2_PACKAGE_NEAP_SMALL),y)
NEAP_CARGO_ENV = \
	CARGO_PROFILE_RELEASE_OPT_LEVEL=z \
	CARGO_PROFILE_RELEASE_LTO=fat \
	CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1
endif
NEAP_CARGO_BUILD_OPTS = --bin neap
NEAP_CARGO_INSTALL_OPTS = --bin neap

define NEAP_INSTALL_CONFIG
	$(INSTALL) -D -m 0644 $(@D)/systemd/neap.toml \
		$(TARGET_DIR)/etc/neap/neap.toml
endef
NEAP_POST_INSTALL_TARGET_HOOKS += NEAP_INSTALL_CONFIG

define NEAP_INSTALL_INIT_SYSTEMD
	$(INSTALL) -D -m 0644 $(@D)/systemd/neap.service \
		$(TARGET_DIR)/usr/lib/systemd/system/neap.service
	$(INSTALL) -D -m 0644 $(@D)/systemd/neap.socket \
		$(TARGET_DIR)/usr/lib/systemd/system/neap.socket
	$(INSTALL) -D -m 0644 $(@D)/systemd/neap.tmpfiles.conf \
		$(TARGET_DIR)/usr/lib/tmpfiles.d/neap.conf
	$(INSTALL) -D -m 0755 $(@D)/systemd/sleep/neap \
		$(TARGET_DIR)/usr/lib/systemd/system-sleep/neap
endef

define NEAP_INSTALL_INIT_SYSV
	$(INSTALL) -D -m 0755 $(NEAP_PKGDIR)/S80neap \
		$(TARGET_DIR)/etc/init.d/S80neap
endef

define NEAP_USERS
	neap -1 neap -1 * - - - neap video cache
endef

# epoll, timers, events and signals as files; nothing that an ordinary kernel leaves out.
define NEAP_LINUX_CONFIG_FIXUPS
	$(call KCONFIG_ENABLE_OPT,CONFIG_EPOLL)
	$(call KCONFIG_ENABLE_OPT,CONFIG_TIMERFD)
	$(call KCONFIG_ENABLE_OPT,CONFIG_EVENTFD)
	$(call KCONFIG_ENABLE_OPT,CONFIG_SIGNALFD)
endef

$(eval $(cargo-package))
