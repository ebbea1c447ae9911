# Fuzzers of what reads files and captions of strangers: only sources free of LibTorch, compiled a second time with checks.
FUZZERS     := $(patsubst tests/faults/fuzz/%_fuzz.cpp,$(BUILD)/fuzz/%,$(wildcard tests/faults/fuzz/*_fuzz.cpp))
FUZZ_FLAGS  := -std=c++20 -O1 -g1 -fsanitize=address,undefined -fno-sanitize-recover=all -include tests/faults/fuzz/source_location.h
FUZZED      := $(wildcard src/base/*.cpp src/options/*.cpp src/options/*/*.cpp src/text/*.cpp src/metrics/ptb/*.cpp) src/image/picture.cpp $(wildcard src/image/formats/*.cpp) \
  $(addprefix src/weights/,element_type.cpp safetensors/header.cpp safetensors/weights.cpp pickle/machine.cpp pickle/names.cpp \
  tensor_view.cpp pth/zip_archive.cpp pth/pth_file.cpp weight_file.cpp shard_index.cpp open.cpp without_prefix.cpp mapped_file.cpp) \
  $(addprefix src/metrics/,caption_files.cpp row_files.cpp meteor/tables.cpp meteor/index.cpp document_frequencies.cpp counted_captions.cpp cider.cpp coco_tokens.cpp) \
  $(addprefix src/clip/,config.cpp tokenizer.cpp) \
  $(addprefix src/data/,hdf5_file.cpp packed/dataset.cpp packed/tables.cpp packed/format.cpp) \
  $(addprefix src/checkpoint/,manifest.cpp model_json.cpp) $(addprefix data_prep/coco_pack/,source.cpp trees.cpp forms.cpp progress.cpp) $(wildcard data_prep/coco_pack/readers/*.cpp)
FUZZED      := $(filter-out %_cuda.cpp,$(FUZZED))
.PHONY: fuzzers
fuzzers: $(FUZZERS) $(BUILD)/fuzz/packed_seed # tests/faults/fuzz_readers.sh runs them
$(BUILD)/fuzz/json.pch: env/pch/json.h env/pch/plain.h tests/faults/fuzz/source_location.h env/make/fuzz.mk
	@mkdir -p $(@D)
	$(call say,PCH,$<)
	$(Q)$(FUZZ_CXX) $(CPPFLAGS) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -x c++-header $< $(whole)
$(BUILD)/fuzz/%.o: %.cpp $(BUILD)/fuzz/json.pch
	@mkdir -p $(@D)
	$(call say,FUZZ,$<)
	$(Q)$(FUZZ_CXX) $(CPPFLAGS) $(FUZZ_FLAGS) $(IMAGE_FLAGS) -include-pch $(BUILD)/fuzz/json.pch -fsanitize=fuzzer-no-link -MMD -MP -MF $(@:.o=.d) -MT $@ -c $< $(whole)
$(BUILD)/fuzz/libfuzzed.a: $(FUZZED:%.cpp=$(BUILD)/fuzz/%.o)
	$(archive)
$(BUILD)/fuzz/%: $(BUILD)/fuzz/tests/faults/fuzz/%_fuzz.o $(BUILD)/fuzz/libfuzzed.a
	$(call say,LINK,$@)
	$(Q)$(FUZZ_CXX) $(FUZZ_FLAGS) -fsanitize=fuzzer $^ $(LDFLAGS) $(SYS_LIBS) $(whole)
$(call compiled_as,tests/faults/fuzz/packed_seed.cpp)
$(eval $(call program_rules,$(BUILD)/fuzz/packed_seed,$(call obj,tests/faults/fuzz/packed_seed.cpp),$(PREP_LAYERS)))

-include $(wildcard $(BUILD)/fuzz/src/*/*.d $(BUILD)/fuzz/src/*/*/*.d $(BUILD)/fuzz/data_prep/*/*.d $(BUILD)/fuzz/data_prep/*/*/*.d $(BUILD)/fuzz/tests/faults/fuzz/*.d)
