# SPDX-License-Identifier: GPL-2.0
#
# Generates the bindings that the kernel crate lacks, with the flags that
# rust/Makefile gives to bindgen. Types that the kernel crate has are not
# generated a second time but taken from there, and the layout tests stay on:
# they check each struct here against the shared types it is made of.

gpio_virtio_bindings := $(obj)/abstractions/bindings_generated.rs

# Read by abstractions/bindings.rs.
export GPIO_VIRTIO_BINDINGS := $(abspath $(gpio_virtio_bindings))

# libclang parses the headers. Of the flags of a GCC build it does not know
# these; the list follows rust/Makefile.
gpio_virtio_skip_c_flags := -mno-fp-ret-in-387 -mpreferred-stack-boundary=% \
	-mskip-rax-setup -mgeneral-regs-only -msign-return-address=% \
	-mindirect-branch=thunk-extern -mindirect-branch-register \
	-mfunction-return=thunk-extern -mrecord-mcount -mabi=lp64 \
	-mindirect-branch-cs-prefix -mstack-protector-guard% -mtraceback=no \
	-mno-pointers-to-nested-functions -mno-string \
	-mno-strict-align -mstrict-align -mdirect-extern-access \
	-mexplicit-relocs -mno-check-zero-division \
	-fconserve-stack -falign-jumps=% -falign-loops=% \
	-femit-struct-debug-baseonly -fno-ipa-cp-clone -fno-ipa-sra \
	-fno-partial-inlining -fplugin-arg-arm_ssp_per_task_plugin-% \
	-fno-reorder-blocks -fno-allow-store-data-races -fasan-shadow-offset=% \
	-fzero-call-used-regs=% -fno-stack-clash-protection \
	-fno-inline-functions-called-once -fsanitize=bounds-strict \
	-fstrict-flex-arrays=% -fmin-function-alignment=% \
	-fzero-init-padding-bits=% -mno-fdpic \
	-fdiagnostics-show-context -fdiagnostics-show-context=% \
	--param=% --param asan-% -fno-isolate-erroneous-paths-dereference \
	-ffixed-r2 -mmultiple -mno-readonly-in-sdata

gpio_virtio_bindgen_target_x86		:= x86_64-linux-gnu
gpio_virtio_bindgen_target_arm64	:= aarch64-linux-gnu
gpio_virtio_bindgen_target_arm		:= arm-linux-gnueabi
gpio_virtio_bindgen_target_riscv	:= riscv64-linux-gnu
gpio_virtio_bindgen_target_loongarch	:= loongarch64-linux-gnusf
gpio_virtio_bindgen_target_s390		:= s390x-linux-gnu
gpio_virtio_bindgen_target_powerpc	:= powerpc64le-linux-gnu
gpio_virtio_bindgen_target_i386		:= i386-linux-gnu
gpio_virtio_bindgen_target_x86_64	:= x86_64-linux-gnu
gpio_virtio_bindgen_target_um		:= $(gpio_virtio_bindgen_target_$(SUBARCH))

ifdef CONFIG_CC_IS_CLANG
gpio_virtio_bindgen_c_flags = $(c_flags)
else
gpio_virtio_bindgen_c_flags = $(filter-out $(gpio_virtio_skip_c_flags), $(c_flags)) \
	-w --target=$(gpio_virtio_bindgen_target_$(SRCARCH))
endif

ifdef CONFIG_LTO
gpio_virtio_bindgen_c_flags_lto = $(filter-out $(CC_FLAGS_LTO), $(gpio_virtio_bindgen_c_flags))
else
gpio_virtio_bindgen_c_flags_lto = $(gpio_virtio_bindgen_c_flags)
endif

quiet_cmd_gpio_virtio_bindgen = BINDGEN $@
      cmd_gpio_virtio_bindgen = \
	$(BINDGEN) $< --rust-target 1.85 --use-core --with-derive-default \
		--ctypes-prefix ffi --no-debug '.*' --no-doc-comments \
		--enable-function-attribute-detection \
		--no-recursive-allowlist \
		--allowlist-file '.*/linux/virtio\.h' \
		--allowlist-file '.*/linux/device-id/virtio\.h' \
		--allowlist-file '.*/linux/virtio_config\.h' \
		--with-derive-custom-struct 'virtio_device_id=Clone,Copy' \
		--allowlist-file '.*/abstractions/helpers\.h' \
		-o $@ -- $(gpio_virtio_bindgen_c_flags_lto) -fno-builtin -D__BINDGEN__ -DMODULE

$(gpio_virtio_bindings): $(src)/abstractions/bindings_helper.h FORCE
	$(call if_changed_dep,gpio_virtio_bindgen)

$(obj)/gpio_virtio.o: $(gpio_virtio_bindings)

targets += abstractions/bindings_generated.rs
clean-files += abstractions/bindings_generated.rs
