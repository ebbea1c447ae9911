# The layers, lowest first, and what each may use (src/README.md): what it links, and what its files may include
# (tests/lint/check_layers.py reads this table).
LAYERS := base options comm text image data device kernels params weights model generate optim checkpoint metrics clip report feed tasks train app
USES_options    := base
USES_comm       := base options
USES_text       := base
USES_image      := base options
USES_data       := base options text image
USES_device     := base
USES_kernels    := base device
USES_params     := base
USES_weights    := base options text params
USES_model      := base options device kernels text params
USES_generate   := base options device model
USES_optim      := base options comm params
USES_checkpoint := base options comm device params weights
USES_metrics    := base text
USES_clip       := base image text params weights model
USES_report     := base
USES_feed       := base device image data
USES_tasks      := base options comm text data device kernels params model generate metrics report feed
USES_train      := base options comm data device params optim checkpoint report feed tasks
USES_app        := base options comm text image data device params weights model checkpoint metrics clip report tasks train
# what the unit tests of a layer need beside it
TESTS_USE_checkpoint := optim
TORCH_LAYERS    := device kernels params weights model generate optim checkpoint clip feed tasks train app
closure = $(sort $(1) $(foreach l,$(USES_$(1)),$(call closure,$(l))))
