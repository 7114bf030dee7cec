#include "daemon/policy/decide.h"

const char *plan_kind_name(enum plan_kind kind)
{
	switch (kind) {
	case PLAN_SILENCE:
		return "silence";
	case PLAN_LOADER:
		return "loader";
	case PLAN_IMAGE:
		return "image";
	case PLAN_SCRIPT:
		return "script";
	case PLAN_LOCAL:
		return "local";
	}
	return "?";
}

const char *plan_form_name(enum pxe_form form)
{
	switch (form) {
	case PXE_FORM_DIRECT:
		return "direct";
	case PXE_FORM_PXE_PORT:
		return "pxe-port";
	case PXE_FORM_IPXE:
		return "ipxe";
	case PXE_FORM_HTTP:
		return "http";
	case PXE_FORM_LOCAL:
		return "local";
	}
	return "?";
}
