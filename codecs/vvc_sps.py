"""The size of the pictures in a VVC (H.266) bitstream, read from its sequence parameter set.

VTM's decoder writes bare samples, so the size must come from the bitstream itself. Clauses and
names of syntax elements are those of ITU-T H.266 (V1, 08/2020).
"""

from __future__ import annotations

import re

_SPS_NUT = 15  # table 5
_MAX_SIDE = 1 << 16


def picture_size(bitstream: bytes) -> tuple[int, int]:
    """Width and height, in luma samples, of the output pictures: the conformance window.

    Args:
        bitstream: NAL units in the byte stream format (annex B).

    Raises:
        ValueError: if there is no sequence parameter set, or it cannot be read.
    """
    for unit in re.split(b"\x00\x00\x01", bitstream)[1:]:
        if len(unit) > 2 and unit[1] >> 3 == _SPS_NUT:
            return _output_size(_Bits(unit[2:].replace(b"\x00\x00\x03", b"\x00\x00")))
    raise ValueError(f"no VVC sequence parameter set in a bitstream of {len(bitstream)} bytes")


class _Bits:
    """Reads the syntax elements of a raw byte sequence payload (clause 9)."""

    def __init__(self, payload: bytes) -> None:
        self._value = int.from_bytes(payload, "big")
        self._left = 8 * len(payload)

    def u(self, count: int) -> int:
        """An unsigned integer of ``count`` bits."""
        self._left -= count
        if self._left < 0:
            raise ValueError("the VVC sequence parameter set ends too early")
        return (self._value >> self._left) & ((1 << count) - 1)

    def ue(self) -> int:
        """An unsigned integer, 0-th order Exp-Golomb coded (clause 9.2)."""
        zeros = 0
        while not self.u(1):
            zeros += 1
        return (1 << zeros) - 1 + self.u(zeros)

    def align(self) -> None:
        """Goes on to the next byte."""
        self._left -= self._left % 8


def _output_size(bits: _Bits) -> tuple[int, int]:
    """Clause 7.3.2.4, as far as the conformance window."""
    bits.u(4 + 4)  # sps_seq_parameter_set_id, sps_video_parameter_set_id
    max_sublayers_minus1 = bits.u(3)
    chroma_format_idc = bits.u(2)
    bits.u(2)  # sps_log2_ctu_size_minus5
    if bits.u(1):  # sps_ptl_dpb_hrd_params_present_flag
        _skip_profile_tier_level(bits, max_sublayers_minus1)
    bits.u(1)  # sps_gdr_enabled_flag
    if bits.u(1):  # sps_ref_pic_resampling_enabled_flag
        bits.u(1)  # sps_res_change_in_clvs_allowed_flag
    width, height = bits.ue(), bits.ue()
    if bits.u(1):  # sps_conformance_window_flag; its offsets count chroma samples (table 2)
        width_unit = 2 if chroma_format_idc in (1, 2) else 1
        height_unit = 2 if chroma_format_idc == 1 else 1
        width -= width_unit * (bits.ue() + bits.ue())
        height -= height_unit * (bits.ue() + bits.ue())
    if not (0 < width < _MAX_SIDE and 0 < height < _MAX_SIDE):
        raise ValueError(f"a VVC sequence parameter set with pictures of {width} x {height}")
    return width, height


def _skip_profile_tier_level(bits: _Bits, max_sublayers_minus1: int) -> None:
    """Clause 7.3.3.1, with profileTierPresentFlag 1."""
    bits.u(7 + 1 + 8)  # general_profile_idc, general_tier_flag, general_level_idc
    bits.u(1 + 1)  # ptl_frame_only_constraint_flag, ptl_multilayer_enabled_flag
    if bits.u(1):  # gci_present_flag (clause 7.3.3.2)
        bits.u(71)  # the constraint flags
        bits.u(bits.u(8))  # gci_num_reserved_bits
    bits.align()
    sublayers_with_level = sum(bits.u(1) for _ in range(max_sublayers_minus1))
    bits.align()
    bits.u(8 * sublayers_with_level)  # sublayer_level_idc
    bits.u(32 * bits.u(8))  # general_sub_profile_idc, ptl_num_sub_profiles of them
